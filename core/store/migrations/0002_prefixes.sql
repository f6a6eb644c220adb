-- Prefixes that end inside a text, several cache marks a request, and what caching did against what was predicted.

ALTER TABLE item ADD COLUMN heads UBIGINT[] DEFAULT [];          -- hash of each block's first bytes; 0 = no long text

ALTER TABLE class ADD COLUMN cut_chars BIGINT DEFAULT 0;         -- of the block after prefix_blocks; 0 = ends with a block
ALTER TABLE class ADD COLUMN split_agreed BOOLEAN DEFAULT false; -- that block may be sent as two, to carry a mark

ALTER TABLE attempt ADD COLUMN marks SMALLINT[] DEFAULT [];      -- blocks with a cache mark at their end, counted from 1
ALTER TABLE attempt ADD COLUMN split_chars BIGINT;               -- the last of them is split behind so many characters
ALTER TABLE attempt ADD COLUMN entry_id VARCHAR;                 -- the innermost cache entry that it reads or writes
UPDATE attempt SET marks = [class.prefix_blocks::SMALLINT], entry_id = attempt.class_id
FROM class WHERE class.class_id = attempt.class_id AND attempt.marked;
ALTER TABLE attempt DROP COLUMN marked;

ALTER TABLE job ADD COLUMN cache_ttl VARCHAR;                    -- 5m | 1h; null where nothing is marked
ALTER TABLE job ADD COLUMN predicted_read_tokens BIGINT;
ALTER TABLE job ADD COLUMN predicted_write_tokens BIGINT;
ALTER TABLE job ADD COLUMN prediction_basis VARCHAR;             -- measured | estimated | assumed: what the hit rate rests on

-- The prefix tree of what waits, renewed after every import: what the picture of the prefixes is drawn from.
CREATE TABLE prefix_node (
    node_id    VARCHAR NOT NULL,            -- running hash at its end; a class's own where it ends a class's prefix
    parent_id  VARCHAR,                     -- null for the scope: what can share at all
    model      VARCHAR NOT NULL,
    level      INTEGER NOT NULL,            -- nodes above it
    blocks     INTEGER NOT NULL,            -- whole blocks up to there
    cut_chars  BIGINT NOT NULL,             -- characters of the next block; 0 = ends with a block
    chars      BIGINT NOT NULL,             -- of prompt up to there
    items      BIGINT NOT NULL,             -- that share it
    excerpt    VARCHAR NOT NULL,            -- how the text behind the parent begins
    class_id   VARCHAR                      -- the class whose prefix ends here
);
