-- Where items stand, kept with every change of an attempt (core/store/standing.py): what is not settled is little, what
-- is complete is nearly all, and neither has to be searched for.

ALTER TABLE item ADD COLUMN waits BOOLEAN DEFAULT true;  -- never attempted
UPDATE item SET waits = false WHERE item_id IN (SELECT item_id FROM attempt);

-- Attempts that are open or gave nothing usable, as they stand in `attempt`.
CREATE TABLE unsettled (
    job_id    VARCHAR NOT NULL,
    item_id   VARCHAR NOT NULL,
    number    INTEGER NOT NULL,
    outcome   VARCHAR,
    usable    BOOLEAN,
    cause     VARCHAR,
    action    VARCHAR,
    cost_usd  DECIMAL(24, 12),
    chars     BIGINT,                -- of its prompt as it was sent; known of first attempts only
    repaired  BOOLEAN NOT NULL       -- another attempt at the item is usable
);
INSERT INTO unsettled
SELECT a.job_id, a.item_id, a.number, a.outcome, a.usable, a.cause, a.action, a.cost_usd, i.depths[-1],
       a.item_id IN (SELECT item_id FROM attempt WHERE usable)
FROM attempt a LEFT JOIN item i USING (item_id) WHERE a.usable IS NOT TRUE;

-- What results told of the tokens of prompts: an attempt writes and reads exactly the prefix of its innermost entry.
-- Learned as they come in.
CREATE TABLE prompt_evidence (
    job_id         VARCHAR NOT NULL,
    class_id       VARCHAR NOT NULL,
    model          VARCHAR NOT NULL,
    entry_id       VARCHAR,
    cached_tokens  BIGINT NOT NULL,     -- written or read, of each of the items
    searched       BOOLEAN NOT NULL,    -- web searches added tokens of their own
    items          BIGINT NOT NULL,
    writers        BIGINT NOT NULL,     -- of them, those that wrote
    tokens         BIGINT NOT NULL,     -- of the whole prompts
    chars          BIGINT               -- null = not known, of none of them
);
INSERT INTO prompt_evidence
SELECT job_id, class_id, model, entry_id, cached, coalesce(web_searches > 0, false) AS searched, count(*),
       count(*) FILTER (cache_write_5m_tokens > 0 OR cache_write_1h_tokens > 0), sum(input_tokens + cached), sum(chars)
FROM (
    SELECT a.*, i.depths[-1] AS chars,
           coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0) AS cached
    FROM attempt a JOIN item i USING (item_id)
    WHERE NOT EXISTS (SELECT 1 FROM former_item f WHERE f.item_id = a.item_id AND f.last_attempt >= a.number)
)
WHERE input_tokens IS NOT NULL
GROUP BY job_id, class_id, model, entry_id, cached, searched, chars IS NULL;

ALTER TABLE cost_cell ADD COLUMN output_squares DOUBLE DEFAULT 0;  -- sum of the squares of the output tokens

-- A third copy of every custom_id: the attempt that is handed over has it.
ALTER TABLE completion DROP COLUMN custom_id;
