-- What every plan predicted of its jobs, kept beside what happens: the ledger.

CREATE TABLE prediction (
    job_id   VARCHAR NOT NULL,
    measure  VARCHAR NOT NULL,              -- cost (USD) | seconds (create to end) | hit_rate (share of cached tokens)
    made_at  TIMESTAMPTZ NOT NULL,
    items    BIGINT NOT NULL,               -- of the job as planned: one that was cut since is another job
    point    DOUBLE NOT NULL,               -- as the plan says
    spread   DOUBLE NOT NULL,               -- what the model takes for one standard deviation (of the log; of a rate itself)
    low      DOUBLE NOT NULL,               -- between these two it lies four times of five
    high     DOUBLE NOT NULL,
    basis    VARCHAR NOT NULL,              -- measured | estimated | assumed
    PRIMARY KEY (job_id, measure)
);
