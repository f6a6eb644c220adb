-- name: backlog
-- Items never attempted (all, or those of some classes), with what planning needs to know of them and of their class.
SELECT i.item_id, i.class_id, c.name AS class_name, i.model, c.prefix_blocks, c.cut_chars, c.prefix_chars,
       c.prefix_tokens, coalesce(n.node_id, c.class_id) AS prefix_key, c.cacheable, c.split_agreed, c.preview,
       i.payload_bytes, i.max_tokens, i.depths[-1] AS chars, i.chain, i.depths, i.overheads, o.output_tokens
FROM item i
JOIN class c USING (class_id)
-- A class keeps its id while its prefix is edited: the tree knows what the prefix is now.
LEFT JOIN (SELECT class_id, min(node_id) AS node_id FROM prefix_node WHERE class_id IS NOT NULL GROUP BY class_id) n
    USING (class_id)
LEFT JOIN (
    SELECT class_id, sum(output_tokens) / sum(attempts) AS output_tokens
    FROM cost_cell WHERE outcome = 'succeeded' GROUP BY class_id
) o USING (class_id)
WHERE i.payload_offset IS NOT NULL AND i.trial_id IS NULL
  AND ($class_ids::VARCHAR[] IS NULL OR list_contains($class_ids::VARCHAR[], i.class_id))
  AND i.waits
ORDER BY i.class_id, i.import_id, i.line

-- name: add_plan
-- A plan with its inputs and its prediction, kept to be compared with what happens.
INSERT INTO plan (plan_id, trial_id, created_at, items, jobs, predicted_usd, predicted_plain_usd, inputs,
                  deadline, confidence, on_time_probability)
VALUES ($plan_id, $trial_id, $created_at, $items, $jobs, $predicted_usd, $predicted_plain_usd, $inputs,
        $deadline, $confidence, $on_time_probability)

-- name: add_jobs
-- The jobs of a plan or a repair.
INSERT INTO job BY NAME SELECT * FROM incoming

-- name: claim_items
-- One attempt for every incoming item that has none open or usable, and was not routed elsewhere since it was planned;
-- returns the items claimed.
INSERT INTO attempt BY NAME
SELECT n.job_id, n.item_id, nullif(n.custom_id, n.job_id || '-' || n.item_id) AS sent_as, n.class_id, n.model, n.marks,
       n.split_chars, n.entry_id, (coalesce(p.attempts, 0) + 1)::INTEGER AS number
FROM incoming n
LEFT JOIN (
    SELECT item_id, count(*) AS attempts, bool_or(outcome IS NULL) AS open, bool_or(usable) AS usable
    FROM attempt WHERE item_id IN (SELECT item_id FROM incoming) GROUP BY item_id
) p USING (item_id)
WHERE NOT coalesce(p.open, false) AND NOT coalesce(p.usable, false)
  AND NOT EXISTS (SELECT 1 FROM item i WHERE i.item_id = n.item_id AND i.model <> n.model)
RETURNING item_id
