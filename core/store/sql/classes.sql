-- Reads of the class pages: filtered, sorted and cut off here, so that ten thousand classes stay smooth.

-- name: classes_listed
-- Classes within the filters (null = all), most input waiting first; `classes` counts all that were found.
-- Tokens are those of the class prefixes of the model, else 3.5 characters each.
WITH ratio AS (
    SELECT model, sum(prefix_tokens) / nullif(sum(prefix_chars), 0)::DOUBLE AS tokens_per_char FROM class GROUP BY model
), waiting AS (
    SELECT class_id, count(*) AS items, sum(depths[-1])::DOUBLE AS chars
    FROM item WHERE waits AND trial_id IS NULL
    GROUP BY class_id
), sent AS (
    SELECT class_id, sum(attempts)::BIGINT AS attempts, sum(units)::BIGINT AS units, sum(cost_usd) AS cost_usd,
           sum(cache_read_tokens)::DOUBLE / nullif(sum(cache_read_tokens + cache_write_tokens), 0) AS hit_rate,
           max(day) AS last_day
    FROM unit_cost_day GROUP BY class_id
)
SELECT c.class_id, c.name, c.model, c.prefix_blocks, c.cut_chars, c.split_agreed, c.inferred,
       CASE WHEN NOT c.inferred THEN c.prefix_tokens END AS prefix_tokens,
       CASE WHEN c.inferred THEN 'inferred'
            WHEN c.prefix_chars = 0 THEN 'unshared'
            WHEN NOT c.cacheable THEN 'short'
            WHEN c.cut_chars > 0 AND NOT c.split_agreed THEN 'split'
            ELSE 'cacheable' END AS state,
       coalesce(w.items, 0) AS waiting_items,
       w.chars * coalesce(r.tokens_per_char, 1 / 3.5) AS waiting_tokens,
       s.attempts, s.units, s.cost_usd, s.cost_usd / nullif(s.units, 0)::DOUBLE AS unit_cost_usd, s.hit_rate, s.last_day,
       count(*) OVER () AS classes
FROM class c
LEFT JOIN ratio r USING (model) LEFT JOIN waiting w USING (class_id) LEFT JOIN sent s USING (class_id)
WHERE (w.items > 0 OR s.attempts > 0)
  AND ($class_id::VARCHAR IS NULL OR c.class_id = $class_id)
  AND ($model::VARCHAR IS NULL OR c.model = $model)
  AND ($state::VARCHAR IS NULL OR state = $state)
  AND ($waiting::BOOLEAN IS NULL OR (waiting_items > 0) = $waiting)
  AND ($text::VARCHAR IS NULL OR contains(lower(c.name || ' ' || c.preview), lower($text)))
ORDER BY w.chars DESC NULLS LAST, s.cost_usd DESC NULLS LAST, c.class_id
LIMIT $limit

-- name: prefix_nodes
-- The prefix tree of what waits, as far as it is kept: `tokens` of prompt up to the end of each node (estimated).
WITH ratio AS (
    SELECT model, sum(prefix_tokens) / nullif(sum(prefix_chars), 0)::DOUBLE AS tokens_per_char FROM class GROUP BY model
)
SELECT n.node_id, n.parent_id, n.class_id, n.model, n.level, n.items, n.excerpt,
       n.chars * coalesce(r.tokens_per_char, 1 / 3.5) AS tokens
FROM prefix_node n LEFT JOIN ratio r USING (model)
ORDER BY n.level, n.node_id

-- name: class_models
-- Every model of a class, for the filter.
SELECT DISTINCT model FROM class ORDER BY model

-- name: class_items
-- Some requests of a class whose text is still kept, those that wait first, then the newest that were sent. What an item
-- came to under another class before, other than a failure, is not counted.
WITH chosen AS MATERIALIZED (
    (SELECT rowid AS place FROM item
     WHERE class_id = $class_id AND payload_offset IS NOT NULL AND trial_id IS NULL AND waits
     ORDER BY hash(item_id) LIMIT $limit)
    UNION ALL
    (SELECT rowid AS place FROM item
     WHERE class_id = $class_id AND payload_offset IS NOT NULL AND trial_id IS NULL AND NOT waits
     ORDER BY created_at DESC, hash(item_id) LIMIT $limit)
), shown AS MATERIALIZED (
    SELECT i.item_id, i.import_id, i.line, i.payload_offset, i.payload_bytes, i.waits, i.created_at,
           i.depths[-1] AS chars, s.status
    FROM item i
    JOIN item_status s ON s.place = i.rowid
    WHERE i.rowid IN (SELECT place FROM chosen)
    ORDER BY NOT i.waits, i.created_at DESC, hash(i.item_id) LIMIT $limit
), tried AS (
    SELECT item_id, cost_usd FROM attempt
    WHERE class_id = $class_id AND usable AND item_id IN (SELECT item_id FROM shown)
    UNION ALL
    SELECT item_id, cost_usd FROM unsettled WHERE item_id IN (SELECT item_id FROM shown)
)
SELECT i.item_id, i.status, coalesce(a.attempts, 0) AS attempts, a.cost_usd, f.source, i.line, i.import_id,
       i.payload_offset, i.payload_bytes, i.chars,
       (SELECT count(*) FROM item
        WHERE class_id = $class_id AND payload_offset IS NOT NULL AND trial_id IS NULL) AS items
FROM shown i
LEFT JOIN (SELECT item_id, count(*) AS attempts, sum(cost_usd) AS cost_usd FROM tried GROUP BY item_id) a
    USING (item_id)
LEFT JOIN import_file f ON f.import_id = i.import_id
ORDER BY NOT i.waits, i.created_at DESC, hash(i.item_id)

-- name: class_jobs
-- What caching did for a class, job by job, newest first; a prediction is the job's own, so only where it carries
-- nothing else.
SELECT j.job_id, j.role, j.state, j.submitted_at, j.cache_ttl, j.prediction_basis, a.items, a.cost_usd,
       a.read_tokens, a.write_tokens, a.read_tokens / nullif(a.read_tokens + a.write_tokens, 0)::DOUBLE AS hit_rate,
       CASE WHEN j.class_id = $class_id THEN j.predicted_read_tokens
            / nullif(j.predicted_read_tokens + j.predicted_write_tokens, 0)::DOUBLE END AS predicted_hit_rate
FROM (SELECT job_id, sum(items)::BIGINT AS items, sum(cost_usd) AS cost_usd, sum(read_tokens)::BIGINT AS read_tokens,
             sum(write_tokens)::BIGINT AS write_tokens
      FROM (SELECT job_id, attempts AS items, cost_usd, cache_read_tokens AS read_tokens,
                   cache_write_5m_tokens + cache_write_1h_tokens AS write_tokens
            FROM cost_cell WHERE class_id = $class_id
            UNION ALL
            SELECT job_id, 1, NULL, NULL, NULL FROM attempt
            WHERE class_id = $class_id AND outcome IS NULL
              AND job_id IN (SELECT job_id FROM unsettled WHERE outcome IS NULL))
      GROUP BY job_id) a
JOIN job j USING (job_id)
ORDER BY j.created_at DESC, j.job_id
LIMIT $limit

-- name: waiting_payloads
-- Where the parameters of all requests lie that were never attempted.
SELECT i.item_id, i.import_id, i.payload_offset, i.payload_bytes
FROM item i
WHERE i.payload_offset IS NOT NULL AND i.trial_id IS NULL AND i.waits
ORDER BY i.import_id, i.payload_offset

-- name: classes_of_items
-- The classes that these items are in.
SELECT DISTINCT c.class_id, c.name
FROM item i JOIN class c USING (class_id)
WHERE list_contains($item_ids::VARCHAR[], i.item_id)
ORDER BY c.name, c.class_id

-- name: waiting_fingerprint
-- One value for what waits: it moves when an item comes, goes, is corrected or routed, and with nothing else.
SELECT coalesce(bit_xor(hash(item_id, content_hash, model)), 0)::VARCHAR AS fingerprint
FROM item
WHERE trial_id IS NULL AND waits
