-- Trials: whether another model clears the bar of a class, found out on copies of its items; and the labels that say so.

-- Copies that a trial sends, and what is asked of a judge, are items too, but no work: nobody waits for them.
ALTER TABLE item ADD COLUMN trial_id VARCHAR;                    -- null = work
ALTER TABLE plan ADD COLUMN trial_id VARCHAR;
ALTER TABLE job ADD COLUMN trial_id VARCHAR;

CREATE TABLE trial (
    trial_id         VARCHAR PRIMARY KEY,
    class_id         VARCHAR NOT NULL,
    reference_model  VARCHAR NOT NULL,       -- what the class ran on when the trial began
    grader           JSON NOT NULL,          -- its spec (core/grading)
    needs            VARCHAR[] NOT NULL,     -- what it grades by: some of gold, reference, judge, people
    rate             DOUBLE,                 -- the bar: a share of right answers to exceed,
    margin           DOUBLE,                 -- or how much worse than the reference it may be; one of the two
    error            DOUBLE NOT NULL,        -- how likely a wrong verdict may be at the bar
    budget_usd       DECIMAL(18, 9) NOT NULL,
    seed             BIGINT NOT NULL,        -- of the sample, and of the order in which answers are shown
    cascade          BOOLEAN NOT NULL,       -- a small model first, and a larger one where it fails, is a candidate too
    created_at       TIMESTAMPTZ NOT NULL,
    created_by       VARCHAR NOT NULL,
    state            VARCHAR NOT NULL,       -- see core/trials/trial.py
    reason           VARCHAR,
    closed_at        TIMESTAMPTZ
);

-- Everything that a trial asks: the reference, the candidates, the reference once more, the judge.
CREATE TABLE trial_candidate (
    trial_id  VARCHAR NOT NULL,
    number    INTEGER NOT NULL,              -- also in the ids of its items: <trial>-<number>-<position>
    part      VARCHAR NOT NULL,              -- reference | candidate | rerun | judge
    model     VARCHAR NOT NULL,
    changes   JSON NOT NULL                  -- what is sent otherwise than to the reference: parameter, said
);

-- The sample, drawn before anything was looked at.
CREATE TABLE trial_item (
    trial_id  VARCHAR NOT NULL,
    position  BIGINT NOT NULL,               -- the order in which it is used
    item_id   VARCHAR NOT NULL,
    stratum   VARCHAR NOT NULL
);

-- A round and the plan that it sends are committed together: neither is ever there without the other.
CREATE TABLE trial_round (
    trial_id       VARCHAR NOT NULL,
    number         INTEGER NOT NULL,         -- 1, 2, 3, …
    plan_id        VARCHAR NOT NULL,
    items          BIGINT NOT NULL,
    predicted_usd  DECIMAL(18, 9),
    started_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE label (
    trial_id     VARCHAR NOT NULL,
    candidate    INTEGER NOT NULL,           -- its number
    position     BIGINT NOT NULL,
    labeller     VARCHAR NOT NULL,           -- grader, or who looked at it
    correct      BOOLEAN,                    -- of the candidate; null = could not be told, which is no label
    reference    BOOLEAN,                    -- of the reference on the same item; null where it was not asked
    note         VARCHAR,
    lost         BOOLEAN NOT NULL,           -- grading this very answer failed: it counts as wrong
    labelled_at  TIMESTAMPTZ NOT NULL
);
