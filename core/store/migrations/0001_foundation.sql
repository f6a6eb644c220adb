-- The whole chain from a request file to a priced attempt.
-- Large tables (item, attempt) carry no primary key: one writer and MERGE keep them unique at a quarter of the size.

CREATE TABLE import_file (
    import_id    VARCHAR PRIMARY KEY,
    source       VARCHAR NOT NULL,          -- the name shown: file name or upload name
    started_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ,
    bytes        BIGINT NOT NULL DEFAULT 0, -- read, after unpacking
    lines        BIGINT NOT NULL DEFAULT 0,
    added        BIGINT NOT NULL DEFAULT 0,
    known        BIGINT NOT NULL DEFAULT 0, -- lines whose item was already there with the same content
    rejected     BIGINT NOT NULL DEFAULT 0,
    note         VARCHAR                    -- what a person should know: torn file, interrupted, not readable
);

CREATE TABLE reject (
    import_id  VARCHAR NOT NULL,
    line       BIGINT NOT NULL,             -- counted from 1
    custom_id  VARCHAR,
    reason     VARCHAR NOT NULL,
    bytes      BIGINT NOT NULL
);

CREATE TABLE item (
    item_id         VARCHAR NOT NULL,       -- the owner's custom_id
    content_hash    VARCHAR NOT NULL,       -- BLAKE2b-128 of the parameters with sorted keys
    import_id       VARCHAR NOT NULL,
    line            BIGINT NOT NULL,
    model           VARCHAR NOT NULL,
    class_id        VARCHAR,
    payload_offset  BIGINT,                 -- in requests/<import_id>.jsonl; null once no longer kept
    payload_bytes   BIGINT NOT NULL,        -- of the parameters exactly as sent, before marks
    chain           UBIGINT[] NOT NULL,     -- running hash after each block, in cache order
    depths          BIGINT[] NOT NULL,      -- characters of prompt up to the end of each block
    overheads       SMALLINT[] NOT NULL DEFAULT [],  -- bytes that a cache mark on each block adds; 0 = cannot be marked
    max_tokens      BIGINT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL
);

CREATE TABLE class (
    class_id       VARCHAR PRIMARY KEY,     -- digest of the scope and the shared blocks
    name           VARCHAR NOT NULL,
    model          VARCHAR NOT NULL,
    prefix_blocks  INTEGER NOT NULL,        -- shared blocks, counted in cache order; 0 = items that share nothing
    prefix_chars   BIGINT NOT NULL,
    prefix_tokens  BIGINT NOT NULL,         -- estimated
    cacheable      BOOLEAN NOT NULL,        -- at or above the model's floor
    preview        VARCHAR NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE plan (
    plan_id              VARCHAR PRIMARY KEY,
    created_at           TIMESTAMPTZ NOT NULL,
    items                BIGINT NOT NULL,
    jobs                 INTEGER NOT NULL,
    predicted_usd        DECIMAL(18, 9),    -- as planned: primed and marked
    predicted_plain_usd  DECIMAL(18, 9),    -- the same jobs without caching
    inputs               JSON NOT NULL      -- settings and price date behind the prediction
);

CREATE TABLE job (
    job_id               VARCHAR PRIMARY KEY,   -- also the tag in front of every custom_id sent
    plan_id              VARCHAR,
    parent_job_id        VARCHAR,               -- the job this one repairs
    primer_job_id        VARCHAR,               -- must end before this one is sent
    role                 VARCHAR NOT NULL,      -- primer | body | repair | trial
    class_id             VARCHAR,               -- null where a job carries several classes
    model                VARCHAR NOT NULL,
    state                VARCHAR NOT NULL,      -- see core/jobs/states.py
    reason               VARCHAR,               -- why it is held, failed or unknown
    item_count           INTEGER NOT NULL,
    body_bytes           BIGINT NOT NULL,
    predicted_usd        DECIMAL(18, 9),
    predicted_plain_usd  DECIMAL(18, 9),
    created_at           TIMESTAMPTZ NOT NULL,
    intent_at            TIMESTAMPTZ,           -- committed before the create call
    batch_id             VARCHAR UNIQUE,
    submitted_at         TIMESTAMPTZ,           -- the API's created_at
    expires_at           TIMESTAMPTZ,
    ended_at             TIMESTAMPTZ,
    ingested_at          TIMESTAMPTZ,
    processing           INTEGER NOT NULL DEFAULT 0,
    succeeded            INTEGER NOT NULL DEFAULT 0,
    errored              INTEGER NOT NULL DEFAULT 0,
    canceled             INTEGER NOT NULL DEFAULT 0,
    expired              INTEGER NOT NULL DEFAULT 0,
    request_id           VARCHAR,               -- the API's, for support
    simulated            BOOLEAN NOT NULL
);

CREATE TABLE attempt (
    job_id                 VARCHAR NOT NULL,
    item_id                VARCHAR NOT NULL,
    custom_id              VARCHAR NOT NULL,    -- as sent: <job_id>-<item>
    class_id               VARCHAR NOT NULL,
    model                  VARCHAR NOT NULL,
    number                 INTEGER NOT NULL,    -- 1 for an item's first attempt
    marked                 BOOLEAN NOT NULL DEFAULT false,  -- sent with a cache mark at the end of its class's prefix
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
    service_tier           VARCHAR,
    inference_geo          VARCHAR,
    cost_usd               DECIMAL(24, 12),     -- null = not known or not priced, never zero
    submitted_at           TIMESTAMPTZ          -- when its job was accepted: the date that prices it
);
