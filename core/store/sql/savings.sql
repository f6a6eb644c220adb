-- What savings are reckoned from: the cells of work, what sending whole jobs again would have billed, and baselines.

-- name: savings_cells
-- The work of some days, of some classes (null = all), summed over all that makes no difference to its price. `again`:
-- how many repairs followed a job one upon the other: so often would its usable answers have been billed once more, had
-- all of it been sent again.
WITH RECURSIVE repaired AS (
    SELECT parent_job_id AS job_id, 1 AS times FROM job
    WHERE role = 'repair' AND parent_job_id IS NOT NULL AND ingested_at IS NOT NULL
    UNION
    SELECT j.parent_job_id, r.times + 1
    FROM repaired r JOIN job j USING (job_id)
    WHERE j.role = 'repair' AND j.parent_job_id IS NOT NULL
), followed AS (
    SELECT job_id, max(times) AS times FROM repaired GROUP BY job_id
)
SELECT * EXCLUDE (known) FROM (
SELECT w.class_id, coalesce(w.class_name, w.class_id) AS class_name, w.model, w.day, min(w.submitted_at) AS submitted_at,
       w.service_tier, w.inference_geo, w.above_tokens, w.billed,
       CASE WHEN w.usable AND w.billed THEN coalesce(f.times, 0) ELSE 0 END::BIGINT AS again,
       sum(w.attempts)::BIGINT AS attempts,
       sum(w.input_tokens)::BIGINT AS input_tokens,
       sum(w.cache_write_5m_tokens)::BIGINT AS cache_write_5m_tokens,
       sum(w.cache_write_1h_tokens)::BIGINT AS cache_write_1h_tokens,
       sum(w.cache_read_tokens)::BIGINT AS cache_read_tokens,
       sum(w.output_tokens)::BIGINT AS output_tokens,
       sum(w.web_searches)::BIGINT AS web_searches,
       sum(w.cost_usd)::DECIMAL(38, 12) AS cost_usd,
       sum(w.unpriced)::BIGINT AS unpriced,
       w.unpriced = 0 AS known
FROM work_cell w
LEFT JOIN followed f USING (job_id)
WHERE w.day BETWEEN $first::DATE AND $last::DATE
  AND ($class_ids::VARCHAR[] IS NULL OR list_contains($class_ids::VARCHAR[], w.class_id))
GROUP BY ALL
)
ORDER BY ALL

-- name: savings_trials
-- What trials cost on these days: they are no work, and are no part of what it costs.
SELECT coalesce(sum(c.cost_usd), 0) AS cost_usd, coalesce(sum(c.unpriced), 0)::BIGINT AS unknown
FROM cost_cell c JOIN job j USING (job_id) LEFT JOIN trial t USING (trial_id)
WHERE j.trial_id IS NOT NULL AND c.day BETWEEN $first::DATE AND $last::DATE
  AND ($class_ids::VARCHAR[] IS NULL OR list_contains($class_ids::VARCHAR[], t.class_id))

-- name: baselines
-- What owners declare that their classes would have run on.
SELECT b.class_id, coalesce(c.name, b.class_id) AS class_name, b.model, b.declared_at, b.declared_by
FROM baseline b LEFT JOIN class c USING (class_id)
ORDER BY class_name, class_id

-- name: put_baseline
-- An owner declares what a class would have run on.
INSERT INTO baseline VALUES ($class_id, $model, $now, $by)
ON CONFLICT (class_id) DO UPDATE SET model = excluded.model, declared_at = excluded.declared_at, declared_by = excluded.declared_by

-- name: drop_baseline
-- Nothing is declared of a class any more.
DELETE FROM baseline WHERE class_id = $class_id
