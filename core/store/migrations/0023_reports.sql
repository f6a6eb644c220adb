-- What the account's own usage and cost reports said when they were last read: they are compared without a call.
-- A day that is read again replaces what was there of it.

CREATE TABLE report_day (
    day           DATE NOT NULL,           -- UTC
    read_at       TIMESTAMPTZ NOT NULL,
    refreshed_at  TIMESTAMPTZ              -- up to when the account counted its data as complete, where it said so
);

CREATE TABLE reported_usage (
    day                    DATE NOT NULL,
    model                  VARCHAR,        -- null = of no model
    service_tier           VARCHAR,
    workspace_id           VARCHAR,        -- null = the default workspace
    product                VARCHAR,
    input_tokens           BIGINT NOT NULL,
    cache_write_5m_tokens  BIGINT NOT NULL,
    cache_write_1h_tokens  BIGINT NOT NULL,
    cache_read_tokens      BIGINT NOT NULL,
    output_tokens          BIGINT NOT NULL,
    web_searches           BIGINT NOT NULL,
    requests               BIGINT          -- null = not said
);

CREATE TABLE reported_cost (
    day           DATE NOT NULL,
    model         VARCHAR,
    service_tier  VARCHAR,
    workspace_id  VARCHAR,
    product       VARCHAR,
    kind          VARCHAR NOT NULL,        -- as in cost cells: input, …, web_search; or the report's own name
    amount_usd    DECIMAL(38, 12) NOT NULL,  -- after what was agreed, before credit
    list_usd      DECIMAL(38, 12) NOT NULL
);
