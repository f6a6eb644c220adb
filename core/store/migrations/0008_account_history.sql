-- Batches that others sent on the account: how each one stands, and the classes that were told from their custom_ids.

CREATE TABLE history_batch (
    batch_id    VARCHAR PRIMARY KEY,         -- also the id of the job that it becomes
    standing    VARCHAR NOT NULL,            -- see core/history/standing.py
    created_at  TIMESTAMPTZ NOT NULL,        -- the API's
    ended_at    TIMESTAMPTZ,
    items       BIGINT NOT NULL,
    processing  BIGINT NOT NULL,
    succeeded   BIGINT NOT NULL,
    errored     BIGINT NOT NULL,
    canceled    BIGINT NOT NULL,
    expired     BIGINT NOT NULL,
    reason      VARCHAR                      -- why its results are not here
);

ALTER TABLE class ADD COLUMN inferred BOOLEAN DEFAULT false;  -- named by a rule: what its requests share is not known
