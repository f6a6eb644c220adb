-- Routes: which model a class's work is sent to instead of the one that its owner names, and what is watched since.

-- One applied at a time for a class; a withdrawn one stays on record.
CREATE TABLE route (
    route_id      VARCHAR PRIMARY KEY,
    class_id      VARCHAR NOT NULL,         -- as its owner sends it
    from_model    VARCHAR NOT NULL,         -- that its owner names
    model         VARCHAR NOT NULL,         -- that its work goes to
    trial_id      VARCHAR,                  -- the trial that proved it; null = applied without proof
    applied_at    TIMESTAMPTZ NOT NULL,
    applied_by    VARCHAR NOT NULL,
    withdrawn_at  TIMESTAMPTZ,              -- or another one took its place
    withdrawn_by  VARCHAR
);

-- What the owner of a re-addressed item sent, as it stood in the item; its content_hash stays there.
CREATE TABLE routed_item (
    item_id         VARCHAR NOT NULL,
    route_id        VARCHAR NOT NULL,       -- by which it goes to its model now
    class_id        VARCHAR NOT NULL,
    model           VARCHAR NOT NULL,
    payload_offset  BIGINT NOT NULL,        -- in the file of its import, where the re-addressed parameters lie too
    payload_bytes   BIGINT NOT NULL,
    chain           UBIGINT[] NOT NULL,
    depths          BIGINT[] NOT NULL,
    overheads       SMALLINT[] NOT NULL,
    heads           UBIGINT[] NOT NULL,
    max_tokens      BIGINT NOT NULL
);

-- Labels on items that were finished under a route: the watch.
CREATE TABLE audit_label (
    route_id    VARCHAR NOT NULL,
    item_id     VARCHAR NOT NULL,
    correct     BOOLEAN,                    -- null = it could not be graded, and why is in the note
    source      VARCHAR NOT NULL,           -- the grader's kind, or people
    note        VARCHAR NOT NULL,
    labelled_at TIMESTAMPTZ NOT NULL,
    labelled_by VARCHAR NOT NULL,
    PRIMARY KEY (route_id, item_id)
);
