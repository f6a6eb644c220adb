-- name: token_counts
-- Everything that was ever asked of the counter.
SELECT content_key, model, tokens FROM token_count WHERE simulated = $simulated

-- name: add_token_counts
-- Answers of the counter; what is known stays.
INSERT INTO token_count BY NAME SELECT * FROM incoming
ON CONFLICT DO NOTHING

-- name: class_samples
-- At most $most items of every class of the backlog, evenly over their lengths; with $uncounted only of the classes
-- whose texts were not counted since they got their prefix and these items.
SELECT s.class_id, s.import_id, s.payload_offset, s.payload_bytes, s.content_hash, s.chars,
       c.prefix_blocks, c.cut_chars, c.prefix_chars, class_hash
FROM (
    SELECT i.class_id, i.import_id, i.payload_offset, i.payload_bytes, i.content_hash, i.depths[-1] AS chars,
           count(*) OVER (PARTITION BY i.class_id) AS class_items,
           bit_xor(hash(i.item_id, i.content_hash)) OVER (PARTITION BY i.class_id) AS class_hash,
           row_number() OVER (PARTITION BY i.class_id ORDER BY i.depths[-1], i.item_id) AS place
    FROM item i
    WHERE i.class_id IS NOT NULL AND i.payload_offset IS NOT NULL AND i.trial_id IS NULL AND i.waits
) s
JOIN class c USING (class_id)
-- The items in the middle of so many equal parts.
WHERE (2 * place * $most + class_items) // (2 * class_items)
    > (2 * (place - 1) * $most + class_items) // (2 * class_items)
  AND (NOT $uncounted OR c.counted_chars IS DISTINCT FROM c.prefix_chars OR c.counted_of <> class_hash)
ORDER BY s.class_id, place

-- name: set_class_counts
-- What was counted in the texts of the incoming classes.
UPDATE class SET prefix_count = n.prefix_count, suffix_count_per_char = n.suffix_count_per_char,
    counted_chars = n.counted_chars, counted_of = n.counted_of
FROM incoming n WHERE n.class_id = class.class_id

-- name: class_evidence
-- What is known of the tokens of every class of the backlog: in its texts, of its prefix as counted and as cached, and
-- of whole prompts (items, tokens, chars); and how much of it waits.
WITH waiting AS (
    SELECT class_id, count(*) AS waiting_items, sum(depths[-1])::BIGINT AS waiting_chars
    FROM item i
    WHERE class_id IS NOT NULL AND payload_offset IS NOT NULL AND trial_id IS NULL AND waits
    GROUP BY class_id
),
whole AS (
    SELECT class_id, model, sum(items)::BIGINT AS items, sum(tokens)::BIGINT AS tokens, sum(chars)::BIGINT AS chars
    FROM (
        SELECT class_id, model, items, tokens, chars FROM prompt_evidence
        WHERE chars IS NOT NULL AND NOT searched
        UNION ALL
        SELECT i.class_id, t.model, 1, any_value(t.tokens), any_value(i.depths[-1])
        FROM token_count t
        JOIN item i ON format('{:016x}', i.content_hash) = t.content_key AND i.waits
        WHERE t.tokens IS NOT NULL AND t.simulated = $simulated
        GROUP BY i.class_id, t.model, t.content_key
    )
    GROUP BY class_id, model
),
entry AS (
    SELECT entry_id, model, arg_max(cached_tokens, items) FILTER (cached_tokens > 0) AS tokens,
           max(cached_tokens) = 0 AS never
    FROM (SELECT entry_id, model, cached_tokens, sum(items) AS items
          FROM prompt_evidence WHERE entry_id IS NOT NULL AND NOT searched GROUP BY ALL)
    GROUP BY entry_id, model
)
SELECT c.class_id, c.model, c.prefix_blocks, c.cut_chars, c.prefix_chars, waiting_items, waiting_chars,
       c.counted_chars IS NOT DISTINCT FROM c.prefix_chars AS texts_counted, c.prefix_count, c.suffix_count_per_char,
       t.tokens AS counted_prefix, entry.tokens AS cached_prefix, coalesce(entry.never, false) AS never_cached,
       coalesce(whole.items, 0) AS items, coalesce(whole.tokens, 0) AS tokens, coalesce(whole.chars, 0) AS chars
FROM class c
JOIN waiting USING (class_id)
LEFT JOIN token_count t ON t.content_key = c.class_id || '/' || c.prefix_chars AND t.model = c.model AND t.simulated = $simulated
LEFT JOIN entry ON entry.entry_id = c.class_id AND entry.model = c.model
LEFT JOIN whole ON whole.class_id = c.class_id AND whole.model = c.model

-- name: trial_tokens
-- What copies of the items of these classes had on the models on trial: tokens of the prompt and of the answer.
SELECT s.item_id, e.model,
       avg(a.input_tokens + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
           + coalesce(a.cache_write_1h_tokens, 0))::DOUBLE AS prompt_tokens,
       avg(a.output_tokens)::DOUBLE AS output_tokens
FROM trial t
JOIN trial_candidate e ON e.trial_id = t.trial_id AND e.part = 'candidate'
JOIN trial_item s ON s.trial_id = t.trial_id
JOIN attempt a ON a.item_id = concat_ws('-', t.trial_id, e.number, s.position)
WHERE list_contains($class_ids::VARCHAR[], t.class_id) AND a.outcome = 'succeeded'
GROUP BY s.item_id, e.model
