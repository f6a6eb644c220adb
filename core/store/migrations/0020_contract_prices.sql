-- What a contract changes about prices, and prices that the packaged book lacks. Rows are added and ended, never edited.

CREATE TABLE contract_price (
    number          INTEGER PRIMARY KEY,    -- in the order in which they were added: of two that hold, the later counts
    model           VARCHAR NOT NULL,       -- * = every model without terms of its own
    listed          BOOLEAN NOT NULL,       -- a list price that the packaged book lacks, rather than an agreed one
    discount        DECIMAL(9, 6),          -- share off every list price; null where prices are given
    input           DECIMAL(18, 6),         -- USD per million tokens of standard requests; null = the list price
    output          DECIMAL(18, 6),
    cache_write_5m  DECIMAL(18, 6),
    cache_write_1h  DECIMAL(18, 6),
    cache_read      DECIMAL(18, 6),
    web_search      DECIMAL(18, 6),         -- USD per thousand
    first_day       DATE NOT NULL,          -- UTC
    last_day        DATE,                   -- as agreed; null = no end
    source          VARCHAR NOT NULL,
    remark          VARCHAR NOT NULL,
    added_at        TIMESTAMPTZ NOT NULL,
    added_by        VARCHAR NOT NULL
);

-- The last day of a row was moved forward; the last word counts. One before its first day: it never held.
CREATE TABLE contract_price_end (
    number    INTEGER NOT NULL,
    last_day  DATE NOT NULL,
    ended_at  TIMESTAMPTZ NOT NULL,
    ended_by  VARCHAR NOT NULL
);

-- Results that did not say how long their cache writes live: they are priced as five-minute ones.
CREATE TABLE unsplit_write (
    job_id    VARCHAR PRIMARY KEY,
    attempts  BIGINT NOT NULL,
    tokens    BIGINT NOT NULL
);
