-- name: sent_items
-- The latest items that were sent of some classes, as `backlog` has those that wait.
SELECT i.item_id, i.class_id, c.name AS class_name, i.model, c.prefix_blocks, c.cut_chars, c.prefix_chars,
       c.prefix_tokens, c.class_id AS prefix_key, c.cacheable, c.split_agreed, c.preview,
       i.payload_bytes, i.max_tokens, i.depths[-1] AS chars, i.chain, i.depths, i.overheads, o.output_tokens
FROM item i
JOIN class c USING (class_id)
LEFT JOIN (
    SELECT class_id, sum(output_tokens) / sum(attempts) AS output_tokens
    FROM cost_cell WHERE outcome = 'succeeded' GROUP BY class_id
) o USING (class_id)
WHERE list_contains($class_ids::VARCHAR[], i.class_id) AND i.payload_offset IS NOT NULL AND i.trial_id IS NULL
  AND NOT i.waits AND len(i.chain) > 0
ORDER BY i.created_at DESC, i.item_id
LIMIT $most
