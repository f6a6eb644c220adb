-- name: export_items
-- Every item with its class, where it stands and what it has cost.
SELECT s.item_id, s.status, s.class_id, c.name AS class_name, s.model, f.source, s.line,
       coalesce(a.attempts, 0) AS attempts, a.cost_usd, s.created_at
FROM item_status s
LEFT JOIN (SELECT item_id, count(*) AS attempts, sum(cost_usd) AS cost_usd FROM attempt GROUP BY item_id) a USING (item_id)
LEFT JOIN class c USING (class_id)
LEFT JOIN import_file f ON f.import_id = s.import_id
ORDER BY s.created_at, s.item_id

-- name: export_attempts
-- Every attempt with outcome, usage and exact cost.
SELECT a.job_id, j.batch_id, j.role, a.item_id, a.custom_id, a.number, a.class_id, a.model, a.outcome, a.usable, a.cause,
       a.action, a.message, a.stop_reason, a.input_tokens, a.cache_write_5m_tokens, a.cache_write_1h_tokens,
       a.cache_read_tokens, a.output_tokens, a.web_searches, a.service_tier, a.inference_geo, a.cost_usd,
       a.submitted_at, j.simulated
FROM attempt a JOIN job j USING (job_id)
ORDER BY a.submitted_at, a.job_id, a.item_id

-- name: export_costs
-- Cost, units and tokens by day, class and model, with the cost of one usable item.
SELECT day, class_id, class_name, model, attempts, units, failures, reruns, cost_usd,
       cost_usd / nullif(units, 0) AS unit_cost_usd, wasted_usd,
       input_tokens, cache_write_tokens, cache_read_tokens, output_tokens
FROM unit_cost_day
ORDER BY day, class_name, model

-- name: status_jobs
-- Jobs as the command line shows them, newest first.
SELECT job_id, role, state, reason, class_name, model, item_count, usable_items, failed_items, open_failures,
       repairable_items, cost_usd, unit_cost_usd, predicted_usd, hit_rate, batch_id, parent_job_id, simulated
FROM job_status ORDER BY created_at DESC, role = 'primer', job_id

-- name: status_items
-- How many items stand where.
SELECT status, count(*)::BIGINT AS items FROM item_status GROUP BY status ORDER BY status

-- name: complete_attempts
-- The first usable attempt of every complete item; the account's history has attempts, but no items.
SELECT item_id, job_id, custom_id FROM attempt
WHERE usable AND EXISTS (SELECT 1 FROM item i WHERE i.item_id = attempt.item_id AND i.trial_id IS NULL)
QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY number) = 1
ORDER BY submitted_at, job_id, item_id

-- name: read_messages
-- The messages of complete items out of raw results files; on a connection of its own that may read files.
SELECT c.item_id, c.job_id, r.result.message::VARCHAR AS message
FROM read_json($files, format = 'newline_delimited', maximum_object_size = 67108864,
               columns = {custom_id: 'VARCHAR', result: 'STRUCT(message JSON)'}) r
JOIN complete c USING (custom_id)
ORDER BY c.job_id, c.item_id
