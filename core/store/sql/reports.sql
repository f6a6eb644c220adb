-- The account's own reports as they were read, and what of the ledger they are compared with.

-- name: forget_report_days
-- These days are read again.
DELETE FROM report_day WHERE day BETWEEN $first::DATE AND $last::DATE

-- name: forget_reported_usage
-- What the last reading of these days said of usage.
DELETE FROM reported_usage WHERE day BETWEEN $first::DATE AND $last::DATE

-- name: forget_reported_cost
-- What the last reading of these days said of cost.
DELETE FROM reported_cost WHERE day BETWEEN $first::DATE AND $last::DATE

-- name: add_report_days
-- Every day of these was read, whether or not it has rows.
INSERT INTO report_day
SELECT unnest(generate_series($first::DATE::TIMESTAMP, $last::DATE::TIMESTAMP, INTERVAL 1 DAY))::DATE, $now::TIMESTAMPTZ,
       $refreshed_at::TIMESTAMPTZ

-- name: add_reported_usage
-- What the usage report says.
INSERT INTO reported_usage BY NAME SELECT * FROM incoming

-- name: add_reported_cost
-- What the cost report says.
INSERT INTO reported_cost BY NAME SELECT * FROM incoming

-- name: report_days
-- Days that were read, in order.
SELECT day, read_at, refreshed_at FROM report_day WHERE day BETWEEN $first::DATE AND $last::DATE ORDER BY day

-- name: report_span
-- The first and the last day that was read, when last, and the first and last day with work here.
SELECT (SELECT min(day) FROM report_day) AS first, (SELECT max(day) FROM report_day) AS last,
       (SELECT max(read_at) FROM report_day) AS read_at,
       (SELECT min(day) FROM cost_cell) AS first_work, (SELECT max(day) FROM cost_cell) AS last_work

-- name: reported_usage
-- What the usage report said of some days.
SELECT * FROM reported_usage WHERE day BETWEEN $first::DATE AND $last::DATE

-- name: reported_cost
-- What the cost report said of some days.
SELECT * FROM reported_cost WHERE day BETWEEN $first::DATE AND $last::DATE

-- name: reported_workspaces
-- The workspaces that reports named, the dearest first.
SELECT workspace_id, sum(amount_usd) AS usd FROM reported_cost
WHERE workspace_id IS NOT NULL GROUP BY workspace_id ORDER BY usd DESC, workspace_id

-- name: billed_cells
-- Cells of some days, trials too, since they were billed; summed over all that makes no difference to their price.
SELECT day, model, service_tier, inference_geo, above_tokens, billed, min(submitted_at) AS submitted_at,
       sum(unpriced)::BIGINT AS unpriced,
       sum(input_tokens)::BIGINT AS input_tokens,
       sum(cache_write_5m_tokens)::BIGINT AS cache_write_5m_tokens,
       sum(cache_write_1h_tokens)::BIGINT AS cache_write_1h_tokens,
       sum(cache_read_tokens)::BIGINT AS cache_read_tokens,
       sum(output_tokens)::BIGINT AS output_tokens,
       sum(web_searches)::BIGINT AS web_searches
FROM cost_cell
WHERE day BETWEEN $first::DATE AND $last::DATE
GROUP BY day, model, service_tier, inference_geo, above_tokens, billed, unpriced > 0

-- name: sent_models
-- Every model that was ever sent work to.
SELECT DISTINCT model FROM job WHERE submitted_at IS NOT NULL UNION SELECT DISTINCT model FROM cost_cell

-- name: pending_work
-- What jobs whose results are not in, or were lost, cost at most: their prediction's upper end.
SELECT (j.submitted_at AT TIME ZONE 'UTC')::DATE AS day, j.model,
       CASE WHEN g.attempts IS NULL THEN 'under_way' ELSE 'missing' END AS why,
       (greatest(coalesce(j.predicted_usd, 0), coalesce(p.high, 0))
        * coalesce(g.attempts / j.item_count, 1))::DECIMAL(38, 12) AS usd
FROM job j
LEFT JOIN prediction p ON p.job_id = j.job_id AND p.measure = 'cost'
LEFT JOIN (SELECT job_id, sum(attempts) AS attempts FROM cost_cell WHERE outcome = 'gone' GROUP BY job_id) g
    ON g.job_id = j.job_id
WHERE j.submitted_at IS NOT NULL AND (list_contains($states::VARCHAR[], j.state) OR g.attempts > 0)
  AND (j.submitted_at AT TIME ZONE 'UTC')::DATE BETWEEN $first::DATE AND $last::DATE
ORDER BY j.submitted_at, j.job_id
