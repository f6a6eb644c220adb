-- Reads of the pages: aggregated here, so that a page receives rows to draw and never rows to count.

-- name: headline
-- One row: the 30 days up to $today beside the 30 days before them.
SELECT sum(cost_usd) FILTER (day > $today::DATE - 30) AS cost_usd,
       sum(cost_usd) FILTER (day <= $today::DATE - 30) AS cost_before_usd,
       (sum(units) FILTER (day > $today::DATE - 30))::BIGINT AS units,
       (sum(units) FILTER (day <= $today::DATE - 30))::BIGINT AS units_before,
       sum(cost_usd) FILTER (day > $today::DATE - 30)
           / nullif(sum(units) FILTER (day > $today::DATE - 30), 0)::DOUBLE AS unit_cost_usd,
       sum(cost_usd) FILTER (day <= $today::DATE - 30)
           / nullif(sum(units) FILTER (day <= $today::DATE - 30), 0)::DOUBLE AS unit_cost_before_usd,
       (sum(cache_read_tokens) FILTER (day > $today::DATE - 30))::DOUBLE
           / nullif(sum(cache_read_tokens + cache_write_tokens) FILTER (day > $today::DATE - 30), 0) AS hit_rate,
       (sum(cache_read_tokens) FILTER (day <= $today::DATE - 30))::DOUBLE
           / nullif(sum(cache_read_tokens + cache_write_tokens) FILTER (day <= $today::DATE - 30), 0)
           AS hit_rate_before
FROM unit_cost_day
WHERE day > $today::DATE - 60 AND day <= $today::DATE

-- name: rolling_month
-- The last 30 days, each as the sum or the weighted mean of the seven days up to it: weekdays do not show.
SELECT day, cost_usd::DOUBLE AS cost_usd, cost_usd / nullif(units, 0) AS unit_cost_usd,
       read / nullif(read + written, 0) AS hit_rate
FROM (SELECT day, sum(sum(cost_usd)) OVER week AS cost_usd, (sum(sum(units)) OVER week)::DOUBLE AS units,
             (sum(sum(cache_read_tokens)) OVER week)::DOUBLE AS read,
             (sum(sum(cache_write_tokens)) OVER week)::DOUBLE AS written
      FROM unit_cost_day
      WHERE day > $today::DATE - 37 AND day <= $today::DATE
      GROUP BY day
      WINDOW week AS (ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW))
WHERE day > $today::DATE - 30
ORDER BY day

-- name: standing
-- One row of what waits: items in the backlog, items and jobs with open failures, jobs under way, held or unknown.
SELECT (SELECT count(*) FROM item_status WHERE status = 'backlog') AS backlog_items,
       f.items AS open_items, f.jobs AS open_jobs, f.repairable AS repairable_items, f.cost_usd AS open_cost_usd,
       j.*,
       (SELECT count(*) FROM attempt WHERE outcome IS NOT NULL AND cost_usd IS NULL) AS unpriced_attempts
FROM (SELECT count(*) AS items, count(DISTINCT job_id) AS jobs,
             count(*) FILTER (action = 'resubmit') AS repairable, sum(cost_usd) AS cost_usd
      FROM open_failure) f,
     (SELECT count(*) AS jobs,
             count(*) FILTER (list_contains($running::VARCHAR[], state)) AS running_jobs,
             count(*) FILTER (list_contains($stopped::VARCHAR[], state)) AS stopped_jobs,
             min(reason) FILTER (list_contains($stopped::VARCHAR[], state)) AS stopped_reason
      FROM job) j

-- name: repairs_waiting
-- The largest $repairs jobs to repair and $decisions jobs to decide about, of `jobs` with open failures.
SELECT job_id, class_name, open_failures::BIGINT AS items, repairable_items::BIGINT AS repairable,
       count(*) OVER () AS jobs
FROM job_status
WHERE open_failures > 0
QUALIFY row_number() OVER (PARTITION BY repairable_items > 0 ORDER BY repairable_items DESC, open_failures DESC, job_id)
    <= CASE WHEN repairable_items > 0 THEN $repairs ELSE $decisions END
ORDER BY repairable DESC, items DESC, job_id

-- name: unit_cost_rises
-- Classes whose cost per usable item in the $days up to $today is above that of the $days four weeks earlier.
SELECT class_id, any_value(class_name) AS class_name,
       now_usd / now_units AS unit_cost_usd, before_usd / before_units AS unit_cost_before_usd,
       (now_usd / now_units - before_usd / before_units) * now_units AS extra_usd
FROM (SELECT class_id, any_value(class_name) AS class_name,
             sum(cost_usd) FILTER (day > $today::DATE - $days) AS now_usd,
             nullif(sum(units) FILTER (day > $today::DATE - $days), 0)::DOUBLE AS now_units,
             sum(cost_usd) FILTER (day <= $today::DATE - 28) AS before_usd,
             nullif(sum(units) FILTER (day <= $today::DATE - 28), 0)::DOUBLE AS before_units
      FROM unit_cost_day
      WHERE day > $today::DATE - 28 - $days AND day <= $today::DATE
      GROUP BY class_id)
WHERE now_usd / now_units > before_usd / before_units * (1 + $rise)
GROUP BY ALL
ORDER BY extra_usd DESC, class_id
LIMIT $limit

-- name: cold_classes
-- Cacheable classes that read less than $floor of their cached tokens in the $days up to $today.
SELECT u.class_id, any_value(u.class_name) AS class_name, any_value(u.model) AS model,
       sum(u.cache_read_tokens)::BIGINT AS read_tokens, sum(u.cache_write_tokens)::BIGINT AS write_tokens,
       sum(u.cache_read_tokens)::DOUBLE / nullif(sum(u.cache_read_tokens + u.cache_write_tokens), 0) AS hit_rate
FROM unit_cost_day u JOIN class c USING (class_id)
WHERE c.cacheable AND u.day > $today::DATE - $days AND u.day <= $today::DATE
GROUP BY u.class_id
HAVING hit_rate < $floor
ORDER BY write_tokens DESC, u.class_id
LIMIT $limit

-- name: trend_days
-- Cost, usable items, reruns and cache tokens by day, class and model, within the filters (null = all).
SELECT day, class_id, class_name, model,
       attempts, units, failures, reruns, cost_usd, CASE WHEN failures = 0 THEN 0 ELSE wasted_usd END AS wasted_usd,
       cost_usd / nullif(units, 0)::DOUBLE AS unit_cost_usd,
       cache_read_tokens::BIGINT AS cache_read_tokens, cache_write_tokens::BIGINT AS cache_write_tokens,
       cache_read_tokens::DOUBLE / nullif(cache_read_tokens + cache_write_tokens, 0) AS hit_rate,
       input_tokens::BIGINT AS input_tokens, output_tokens::BIGINT AS output_tokens
FROM unit_cost_day
WHERE day BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR class_name = $class_name)
  AND ($model::VARCHAR IS NULL OR model = $model)
ORDER BY day, class_name, class_id, model

-- name: failure_days
-- Attempts that gave nothing usable, by day and cause, within the filters of the trends.
SELECT (submitted_at AT TIME ZONE 'UTC')::DATE AS day, coalesce(cause, 'unknown') AS cause,
       count(*) AS attempts, sum(cost_usd) AS cost_usd
FROM (SELECT a.*, c.name AS class_name FROM attempt a LEFT JOIN class c USING (class_id)
      WHERE a.outcome IS NOT NULL AND NOT a.usable
        AND a.job_id NOT IN (SELECT job_id FROM job WHERE trial_id IS NOT NULL))
WHERE (submitted_at AT TIME ZONE 'UTC')::DATE BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR class_name = $class_name)
  AND ($model::VARCHAR IS NULL OR model = $model)
GROUP BY ALL
ORDER BY day, cause

-- name: jobs_ended
-- Jobs that ended, within the filters of the trends, newest first: predicted against actual cost, and how long they took.
SELECT *
FROM job_status
WHERE ended_at IS NOT NULL AND (submitted_at AT TIME ZONE 'UTC')::DATE BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR class_name = $class_name)
  AND ($model::VARCHAR IS NULL OR model = $model)
ORDER BY submitted_at DESC, job_id

-- name: trend_span
-- One row: the first and the last day that has a finished attempt.
SELECT min(day) AS first, max(day) AS last FROM unit_cost_day

-- name: class_names
-- Every name of a class, for the filters; classes of one name on several models are one there.
SELECT DISTINCT name FROM class ORDER BY name

-- name: model_names
-- Every model that ran a job, for the filters.
SELECT DISTINCT model FROM job ORDER BY model

-- name: jobs_listed
-- Jobs within the filters (empty = all), newest first.
SELECT job_id, state, reason, role, class_id, class_name, model, item_count, usable_items, failed_items,
       open_failures, repairable_items, unresolved_items, set_aside_items, cancel_requested_at, processing,
       predicted_usd, cost_usd, unit_cost_usd, hit_rate, created_at, submitted_at, ended_at, epoch(ended_at - submitted_at) AS turnaround_s, parent_job_id
FROM job_status
WHERE (len($states::VARCHAR[]) = 0 OR list_contains($states::VARCHAR[], state))
  AND (len($roles::VARCHAR[]) = 0 OR list_contains($roles::VARCHAR[], role))
  AND ($class_name::VARCHAR IS NULL OR class_name = $class_name)
  AND (NOT $open_only OR open_failures > 0)
ORDER BY created_at DESC, job_id
LIMIT $limit

-- name: job_facts
-- One job with its costs and what is left to repair.
SELECT *, epoch(ended_at - submitted_at) AS turnaround_s FROM job_status WHERE job_id = $job_id

-- name: job_chain
-- The job's whole chain of repairs, from the first job down.
WITH RECURSIVE up AS (
    SELECT job_id, parent_job_id FROM job WHERE job_id = $job_id
    UNION
    SELECT j.job_id, j.parent_job_id FROM job j JOIN up ON j.job_id = up.parent_job_id
), down AS (
    SELECT job_id, 0 AS depth FROM up WHERE parent_job_id IS NULL
    UNION
    SELECT j.job_id, d.depth + 1 FROM job j JOIN down d ON j.parent_job_id = d.job_id
)
SELECT s.job_id, s.parent_job_id, d.depth, s.role, s.state, s.reason, s.class_name, s.model, s.item_count,
       s.usable_items, s.failed_items, s.open_failures, s.repairable_items, s.unresolved_items, s.set_aside_items,
       s.cancel_requested_at, s.cost_usd, s.created_at
FROM down d JOIN job_status s USING (job_id)
ORDER BY d.depth, s.created_at, s.job_id

-- name: job_slices
-- The job's items by what became of them, with what is still open of each slice.
SELECT coalesce(a.outcome, 'waiting') AS outcome, a.usable, a.cause, a.action,
       count(*) AS items, count(f.item_id) AS open_items, sum(a.cost_usd) AS cost_usd,
       any_value(a.message) AS example
FROM attempt a
LEFT JOIN open_failure f ON f.job_id = a.job_id AND f.item_id = a.item_id
WHERE a.job_id = $job_id
GROUP BY a.outcome, a.usable, a.cause, a.action
ORDER BY a.usable NULLS LAST, items DESC, a.cause

-- name: job_items
-- One page of the job's items, unusable ones first; $slice is a cause, 'usable', 'waiting' or null for all.
SELECT item_id, custom_id, number, outcome, usable, cause, message, stop_reason,
       input_tokens,
       CASE WHEN coalesce(cache_write_5m_tokens, cache_write_1h_tokens) IS NOT NULL
            THEN coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0) END AS cache_write_tokens,
       cache_read_tokens, output_tokens, cost_usd
FROM attempt
WHERE job_id = $job_id
  AND ($slice::VARCHAR IS NULL OR cause = $slice OR (usable AND $slice = 'usable')
       OR (outcome IS NULL AND $slice = 'waiting'))
ORDER BY usable NULLS LAST, item_id
LIMIT $limit OFFSET $offset

-- name: rejected_lines
-- Rejected lines, newest import first; $import_id null = of every import.
SELECT i.source, r.line, r.reason, r.custom_id, r.bytes, r.import_id
FROM reject r JOIN import_file i USING (import_id)
WHERE $import_id::VARCHAR IS NULL OR r.import_id = $import_id
ORDER BY i.started_at DESC, r.import_id, r.line
LIMIT $limit
