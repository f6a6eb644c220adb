-- Content that came in under several ids, and heavy beginnings that several classes share: found once, when they come in.

-- Items whose content another item has too (core/store/copies.py). `content`: a hash of it.
CREATE TABLE copied_item (
    item_id     VARCHAR NOT NULL,
    content     UBIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);

-- The answered attempts at these items, as they stand in `attempt`.
CREATE TABLE copied_attempt (
    job_id        VARCHAR NOT NULL,
    item_id       VARCHAR NOT NULL,
    content       UBIGINT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,     -- of the item
    class_id      VARCHAR NOT NULL,
    submitted_at  TIMESTAMPTZ,
    usable        BOOLEAN,
    cost_usd      DECIMAL(24, 12)
);

-- Imports whose content was compared with all that was there.
CREATE TABLE compared_import (
    import_id  VARCHAR PRIMARY KEY
);

-- Beginnings of prompts that several classes share, as they were found among what waited and some of what was sent.
CREATE TABLE class_head (
    class_id  VARCHAR NOT NULL,
    head_id   VARCHAR NOT NULL,             -- running hash at its end
    chars     BIGINT NOT NULL,              -- of prompt up to there
    PRIMARY KEY (class_id, head_id)
);
