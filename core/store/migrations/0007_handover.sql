-- What was completed, in the order in which it came in, and the sinks to which it is handed over.

-- One row per item, for its first usable result; written with the results, by the one writer: no gap in `seq`, no item twice.
CREATE TABLE completion (
    seq           BIGINT NOT NULL,          -- 1, 2, 3, …
    item_id       VARCHAR NOT NULL,
    job_id        VARCHAR NOT NULL,         -- the job whose attempt at it is handed over
    custom_id     VARCHAR NOT NULL,
    class_name    VARCHAR,                  -- as it was then: what is handed over never changes afterwards
    completed_at  TIMESTAMPTZ NOT NULL
);
INSERT INTO completion
SELECT row_number() OVER (ORDER BY j.ingested_at NULLS FIRST, a.submitted_at, a.job_id, a.item_id),
       a.item_id, a.job_id, a.custom_id, c.name, coalesce(j.ingested_at, j.ended_at, a.submitted_at)
FROM attempt a
SEMI JOIN item i ON i.item_id = a.item_id
JOIN job j ON j.job_id = a.job_id
LEFT JOIN class c ON c.class_id = a.class_id
WHERE a.usable
QUALIFY row_number() OVER (PARTITION BY a.item_id ORDER BY a.number, a.job_id) = 1;

CREATE TABLE sink (
    target         VARCHAR PRIMARY KEY,     -- its path; with :TABLE behind it for a table of a DuckDB file
    kind           VARCHAR NOT NULL,        -- parquet | jsonl | duckdb
    created_at     TIMESTAMPTZ NOT NULL,
    delivered_seq  BIGINT NOT NULL,         -- everything up to here lies there
    delivered_at   TIMESTAMPTZ,
    trouble        VARCHAR                  -- why it does not get on; null when it does
);
