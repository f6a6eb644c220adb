-- What finished attempts cost and count, summed by all that tells them apart: the figures of every page rest on it.
-- Rows are derived (core/store/sql/cells.sql) and kept in the transaction that changes attempts (core/store/cells.py).

-- The tags of an item, one row a combination; 0 is no tags, and has no row.
CREATE TABLE tag_set (
    tag_set  UINTEGER NOT NULL,
    tags     MAP(VARCHAR, VARCHAR) NOT NULL
);

ALTER TABLE item ADD COLUMN tag_set UINTEGER DEFAULT 0;
ALTER TABLE attempt ADD COLUMN counted_units BIGINT;  -- counted in the output, where the class's unit is such a count

CREATE TABLE cost_cell (
    job_id                 VARCHAR NOT NULL,
    class_id               VARCHAR NOT NULL,
    model                  VARCHAR NOT NULL,
    submitted_at           TIMESTAMPTZ,
    day                    DATE,                -- of it, in UTC
    tag_set                UINTEGER NOT NULL,
    outcome                VARCHAR NOT NULL,
    usable                 BOOLEAN,
    cause                  VARCHAR,
    action                 VARCHAR,
    billed                 BOOLEAN,             -- null = not known: the outcome says nothing about it
    rerun                  BOOLEAN NOT NULL,    -- not the first attempt at its item
    counted                BOOLEAN NOT NULL,    -- the units of these attempts are known
    service_tier           VARCHAR,
    inference_geo          VARCHAR,
    above_tokens           BIGINT NOT NULL,     -- the highest price cliff of any model that each request's input exceeds
    attempts               BIGINT NOT NULL,
    input_tokens           BIGINT NOT NULL,     -- a count that is not known is taken as 0
    cache_write_5m_tokens  BIGINT NOT NULL,
    cache_write_1h_tokens  BIGINT NOT NULL,
    cache_read_tokens      BIGINT NOT NULL,
    output_tokens          BIGINT NOT NULL,
    web_searches           BIGINT NOT NULL,
    counted_units          BIGINT NOT NULL,
    cost_usd               DECIMAL(38, 12),     -- null = not known, of none of them
    unpriced               BIGINT NOT NULL      -- attempts whose cost is not known: all of a cell, or none
);

-- One row: what the cells were made by. Where that has changed since, all of them are made anew when the store opens.
CREATE TABLE cell_basis (
    digest  VARCHAR NOT NULL
);
