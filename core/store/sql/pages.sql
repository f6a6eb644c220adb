-- Reads of the pages: aggregated here, so that a page receives rows to draw and never rows to count.

-- name: standing
-- One row of what waits: items in the backlog, items and jobs with open failures, jobs under way, held or unknown.
SELECT (SELECT count(*) FROM item WHERE waits AND trial_id IS NULL) AS backlog_items,
       f.items AS open_items, f.jobs AS open_jobs, f.repairable AS repairable_items, f.cost_usd AS open_cost_usd,
       j.*,
       (SELECT coalesce(sum(unpriced), 0)::BIGINT FROM cost_cell) AS unpriced_attempts
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
LEFT JOIN (SELECT item_id FROM open_failure WHERE job_id = $job_id) f ON f.item_id = a.item_id
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
