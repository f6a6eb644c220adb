-- What a lost reply leaves behind: where to look for the batch, on whose word it was adopted, and how long to watch.

ALTER TABLE job ADD COLUMN intent_after TIMESTAMPTZ;             -- newest batch of the account before the call, on the API's clock
ALTER TABLE job ADD COLUMN intent_after_id VARCHAR;              -- that batch itself: it is not the one looked for
ALTER TABLE job ADD COLUMN doubt_after TIMESTAMPTZ;              -- the same of the first call without a clear answer; null = none
ALTER TABLE job ADD COLUMN doubt_after_id VARCHAR;
ALTER TABLE job ADD COLUMN doubt_until TIMESTAMPTZ;              -- how long a second batch of it may yet turn up
ALTER TABLE job ADD COLUMN absent_since DOUBLE;                  -- seconds since the start of the machine; null = it is there
ALTER TABLE job ADD COLUMN provisional BOOLEAN DEFAULT false;    -- its batch was found by time and count; its results prove it
-- Before, the own clock was all there was to go by.
UPDATE job SET intent_after = intent_at - INTERVAL 5 MINUTE WHERE intent_at IS NOT NULL;

-- Batches that are proven to be somebody else's: never looked into again.
CREATE TABLE stranger (
    batch_id  VARCHAR PRIMARY KEY,
    seen_at   TIMESTAMPTZ NOT NULL
);
