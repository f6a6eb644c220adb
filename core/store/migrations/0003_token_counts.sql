-- What the API's own counter said, so that nothing is asked twice.

CREATE TABLE token_count (
    content_key  VARCHAR NOT NULL,          -- class_id for a class's prefix, content_hash for an item's whole prompt
    model        VARCHAR NOT NULL,
    tokens       BIGINT,                    -- null where the API refuses to count it
    counted_at   TIMESTAMPTZ NOT NULL,
    simulated    BOOLEAN NOT NULL,          -- counted by the local server, in its own way
    PRIMARY KEY (content_key, model, simulated)
);
