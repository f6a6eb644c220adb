-- Shared definitions: a figure that two places show is defined here once.

-- name: item_status
-- Where each item stands: backlog, in flight, complete (a usable result exists) or failed.
CREATE OR REPLACE VIEW item_status AS
SELECT i.item_id, i.class_id, i.model, i.import_id, i.line, i.payload_bytes, i.max_tokens, i.created_at,
       coalesce(a.attempts, 0) AS attempts,
       a.cost_usd,
       CASE WHEN a.attempts IS NULL THEN 'backlog'
            WHEN a.usable THEN 'complete'
            WHEN a.open THEN 'in flight'
            ELSE 'failed' END AS status
FROM item i
LEFT JOIN (
    SELECT item_id, count(*) AS attempts, sum(cost_usd) AS cost_usd,
           coalesce(bool_or(usable), false) AS usable, bool_or(outcome IS NULL) AS open
    FROM attempt GROUP BY item_id
) a USING (item_id);

-- name: open_failure
-- Failed attempts whose item has neither completed nor been tried again: what is left to repair.
CREATE OR REPLACE VIEW open_failure AS
SELECT a.*
FROM attempt a
WHERE a.outcome IS NOT NULL AND NOT a.usable
  AND NOT EXISTS (SELECT 1 FROM attempt b WHERE b.item_id = a.item_id AND b.number > a.number)
  AND NOT EXISTS (SELECT 1 FROM attempt b WHERE b.item_id = a.item_id AND b.usable);

-- name: attempt_path
-- The cache entries on each attempt's way, outermost first: the hash at every mark, the last one as it was planned.
CREATE OR REPLACE VIEW attempt_path AS
SELECT a.job_id, a.item_id, a.class_id, a.marks, a.split_chars,
       CASE WHEN a.entry_id IS NULL THEN []
            ELSE list_append(list_transform(a.marks[1:len(a.marks) - 1],
                                            lambda block: format('{:016x}', i.chain[block + 1])), a.entry_id)
       END AS entries
FROM attempt a
JOIN item i USING (item_id);

-- name: job_status
-- Every job with what its attempts cost and what is left to repair; a job with open failures is never done.
CREATE OR REPLACE VIEW job_status AS
SELECT j.*, c.name AS class_name,
       coalesce(a.usable_items, 0) AS usable_items,
       coalesce(a.failed_items, 0) AS failed_items,
       coalesce(f.open_failures, 0) AS open_failures,
       coalesce(f.repairable_items, 0) AS repairable_items,
       a.cost_usd, a.input_tokens, a.cache_write_tokens, a.cache_read_tokens, a.output_tokens,
       a.cost_usd / nullif(a.usable_items, 0) AS unit_cost_usd,
       a.cache_read_tokens / nullif(a.cache_read_tokens + a.cache_write_tokens, 0) AS hit_rate,
       j.predicted_read_tokens / nullif(j.predicted_read_tokens + j.predicted_write_tokens, 0) AS predicted_hit_rate
FROM job j
LEFT JOIN class c USING (class_id)
LEFT JOIN (
    SELECT job_id,
           count(*) FILTER (usable) AS usable_items,
           count(*) FILTER (NOT usable) AS failed_items,
           sum(cost_usd) AS cost_usd,
           sum(input_tokens) AS input_tokens,
           sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)) AS cache_write_tokens,
           sum(cache_read_tokens) AS cache_read_tokens,
           sum(output_tokens) AS output_tokens
    FROM attempt GROUP BY job_id
) a USING (job_id)
LEFT JOIN (
    SELECT job_id, count(*) AS open_failures, count(*) FILTER (action = 'resubmit') AS repairable_items
    FROM open_failure GROUP BY job_id
) f USING (job_id);

-- name: unit_cost_day
-- Cost, usable items and tokens by day, class and model; cost per unit is cost / units wherever it is shown.
CREATE OR REPLACE VIEW unit_cost_day AS
SELECT (a.submitted_at AT TIME ZONE 'UTC')::DATE AS day, a.class_id, c.name AS class_name, a.model,
       count(*) AS attempts,
       count(*) FILTER (a.usable) AS units,
       count(*) FILTER (NOT a.usable) AS failures,
       count(*) FILTER (a.number > 1) AS reruns,
       sum(a.cost_usd) AS cost_usd,
       sum(a.cost_usd) FILTER (NOT a.usable) AS wasted_usd,
       sum(a.input_tokens) AS input_tokens,
       sum(coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)) AS cache_write_tokens,
       sum(a.cache_read_tokens) AS cache_read_tokens,
       sum(a.output_tokens) AS output_tokens
FROM attempt a
LEFT JOIN class c USING (class_id)
WHERE a.outcome IS NOT NULL
GROUP BY ALL;
