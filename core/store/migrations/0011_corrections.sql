-- What people do about failures that no sending again would mend: give an item up, or correct what it asks.

CREATE TABLE set_aside (
    item_id       VARCHAR NOT NULL,
    number        INTEGER NOT NULL,         -- the failed attempt after which it was given up; a later one makes it moot
    set_aside_at  TIMESTAMPTZ NOT NULL,
    set_aside_by  VARCHAR NOT NULL
);

CREATE TABLE former_item (                  -- what an item asked before its owner corrected it
    item_id         VARCHAR NOT NULL,
    first_attempt   INTEGER NOT NULL,       -- the attempts that were sent with this content
    last_attempt    INTEGER NOT NULL,
    content_hash    VARCHAR NOT NULL,
    import_id       VARCHAR NOT NULL,
    line            BIGINT NOT NULL,
    model           VARCHAR NOT NULL,
    payload_offset  BIGINT,
    payload_bytes   BIGINT NOT NULL,
    chain           UBIGINT[] NOT NULL,
    depths          BIGINT[] NOT NULL,
    replaced_at     TIMESTAMPTZ NOT NULL
);
