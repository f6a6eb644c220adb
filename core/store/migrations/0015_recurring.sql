-- Recurring schedules that the worker keeps, and what each of their runs did.

CREATE TABLE recurring (
    schedule_id   VARCHAR NOT NULL,
    name          VARCHAR NOT NULL,
    way           VARCHAR NOT NULL,          -- what sets it off: at | every | before | queue (core/schedule/rhythm.py)
    times         VARCHAR[] NOT NULL,        -- of at: 06:00 Europe/Berlin
    hours         INTEGER,                   -- of every
    items         BIGINT,                    -- of queue: so many items of a class are enough; null = no number is
    class_items   JSON NOT NULL,             -- of queue: the same for some classes, by id
    need          VARCHAR NOT NULL,          -- when its results are needed: 07:00 Europe/Berlin, within 8 h
    lead_seconds  DOUBLE NOT NULL,           -- how long before the need it has to be sent
    confidence    DOUBLE NOT NULL,           -- how surely the results are to be there then
    class_ids     VARCHAR[],                 -- what it sends; null = all that waits
    created_at    TIMESTAMPTZ NOT NULL,
    created_by    VARCHAR NOT NULL,
    paused_at     TIMESTAMPTZ,               -- while set, it sends nothing
    removed_at    TIMESTAMPTZ,
    next_due      TIMESTAMPTZ,               -- null where what waits decides
    runs          BIGINT NOT NULL DEFAULT 0, -- counts up with every run: whoever sees an older number does not send
    waits_for     VARCHAR                    -- why a run that is due has not begun
);

-- A run and the plan that it sends are committed together: neither is ever there without the other.
CREATE TABLE recurring_run (
    schedule_id    VARCHAR NOT NULL,
    number         BIGINT NOT NULL,          -- 1, 2, 3, … of its schedule
    due_at         TIMESTAMPTZ NOT NULL,
    missed_from    TIMESTAMPTZ,              -- it makes up for earlier ones too, due from then on
    started_at     TIMESTAMPTZ NOT NULL,
    started_by     VARCHAR NOT NULL,
    state          VARCHAR NOT NULL,         -- sent | empty (nothing waited) | refused | failed
    reason         VARCHAR,                  -- why nothing was sent
    amount         VARCHAR,                  -- what a person has to confirm to send it all the same
    plan_id        VARCHAR,
    items          BIGINT NOT NULL,
    jobs           INTEGER NOT NULL,
    predicted_usd  DECIMAL(18, 9),
    needed_by      TIMESTAMPTZ NOT NULL
);
