-- Nearly every custom_id is its job's id and its item's, and is kept no second time; the others are kept as they were
-- sent: of items whose id is too long, of second batches, and of batches that others sent.
ALTER TABLE attempt RENAME TO wide_attempt;
CREATE TABLE attempt (
    job_id                 VARCHAR NOT NULL,
    item_id                VARCHAR NOT NULL,
    sent_as                VARCHAR,             -- the custom_id where it is not <job_id>-<item_id>
    custom_id              VARCHAR GENERATED ALWAYS AS (coalesce(sent_as, job_id || '-' || item_id)) VIRTUAL,
    class_id               VARCHAR NOT NULL,
    model                  VARCHAR NOT NULL,
    number                 INTEGER NOT NULL,    -- 1 for an item's first attempt
    marks                  SMALLINT[] DEFAULT [],  -- blocks with a cache mark at their end, counted from 1
    split_chars            BIGINT,              -- the last of them is split behind so many characters
    entry_id               VARCHAR,             -- the innermost cache entry that it reads or writes
    outcome                VARCHAR,             -- succeeded | errored | canceled | expired; null until known
    usable                 BOOLEAN,
    cause                  VARCHAR,             -- why it is not usable; null when it is
    action                 VARCHAR,             -- resubmit | hold | wait | edit | decide
    message                VARCHAR,
    stop_reason            VARCHAR,
    refusal_category       VARCHAR,
    input_tokens           BIGINT,
    cache_write_5m_tokens  BIGINT,
    cache_write_1h_tokens  BIGINT,
    cache_read_tokens      BIGINT,
    output_tokens          BIGINT,
    web_searches           BIGINT,
    counted_units          BIGINT,              -- counted in the output, where the class's unit is such a count
    service_tier           VARCHAR,
    inference_geo          VARCHAR,
    cost_usd               DECIMAL(24, 12),     -- null = not known or not priced, never zero
    submitted_at           TIMESTAMPTZ          -- when its job was accepted: the date that prices it
);
INSERT INTO attempt BY NAME
SELECT * EXCLUDE (custom_id), nullif(custom_id, job_id || '-' || item_id) AS sent_as FROM wide_attempt;
DROP TABLE wide_attempt;

-- Of a digest the first eight bytes: it is compared for one item, or among those that ask about the same.
UPDATE token_count SET content_key = content_key[:16] WHERE content_key IN (SELECT content_hash FROM item);
ALTER TABLE item ALTER content_hash TYPE UBIGINT USING ('0x' || substring(content_hash, 1, 16))::UBIGINT;
ALTER TABLE former_item ALTER content_hash TYPE UBIGINT USING ('0x' || substring(content_hash, 1, 16))::UBIGINT;
