-- Reads of the Overview and the Trends. All of them rest on cost cells and jobs, never on attempts: cells are as many as
-- jobs, whatever the number of items.

-- name: headline
-- One row: the 30 days up to $today beside the 30 days before them. Units are usable items: classes count others.
-- `batch_share`: of the tokens that were billed, those of batches; a tier that is not told is that of a batch.
SELECT sum(cost_usd) FILTER (recent) AS cost_usd, sum(cost_usd) FILTER (NOT recent) AS cost_before_usd,
       sum(cost_usd) FILTER (recent) / nullif(sum(usable) FILTER (recent), 0)::DOUBLE AS unit_cost_usd,
       sum(cost_usd) FILTER (NOT recent) / nullif(sum(usable) FILTER (NOT recent), 0)::DOUBLE AS unit_cost_before_usd,
       sum(read) FILTER (recent) / nullif(sum(read + written) FILTER (recent), 0) AS hit_rate,
       sum(read) FILTER (NOT recent) / nullif(sum(read + written) FILTER (NOT recent), 0) AS hit_rate_before,
       sum(batched) FILTER (recent) / nullif(sum(tokens) FILTER (recent), 0) AS batch_share,
       sum(batched) FILTER (NOT recent) / nullif(sum(tokens) FILTER (NOT recent), 0) AS batch_share_before
FROM (SELECT day > $today::DATE - 30 AS recent, cost_usd, CASE WHEN usable THEN attempts ELSE 0 END AS usable,
             cache_read_tokens::DOUBLE AS read,
             (cache_write_5m_tokens + cache_write_1h_tokens)::DOUBLE AS written,
             CASE WHEN billed THEN input_tokens + output_tokens + read + written ELSE 0 END AS tokens,
             CASE WHEN coalesce(service_tier, 'batch') = 'batch' THEN tokens ELSE 0 END AS batched
      FROM work_cell
      WHERE day > $today::DATE - 60 AND day <= $today::DATE)

-- name: rolling_month
-- The last 30 days, each as the sum or the weighted mean of the seven days up to it: weekdays do not show.
SELECT day, cost_usd::DOUBLE AS cost_usd, cost_usd / nullif(usable, 0) AS unit_cost_usd,
       read / nullif(read + written, 0) AS hit_rate, batched / nullif(tokens, 0) AS batch_share
FROM (SELECT day, sum(sum(cost_usd)) OVER week AS cost_usd,
             (sum(sum(attempts) FILTER (usable)) OVER week)::DOUBLE AS usable,
             (sum(sum(cache_read_tokens)) OVER week)::DOUBLE AS read,
             (sum(sum(cache_write_5m_tokens + cache_write_1h_tokens)) OVER week)::DOUBLE AS written,
             (sum(sum(CASE WHEN billed THEN input_tokens + output_tokens + cache_read_tokens
                                + cache_write_5m_tokens + cache_write_1h_tokens ELSE 0 END)) OVER week)::DOUBLE AS tokens,
             (sum(sum(CASE WHEN billed THEN input_tokens + output_tokens + cache_read_tokens
                                + cache_write_5m_tokens + cache_write_1h_tokens ELSE 0 END)
                  FILTER (coalesce(service_tier, 'batch') = 'batch')) OVER week)::DOUBLE AS batched
      FROM work_cell
      WHERE day > $today::DATE - 37 AND day <= $today::DATE
      GROUP BY day
      WINDOW week AS (ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW))
WHERE day > $today::DATE - 30
ORDER BY day

-- name: punctual
-- One row: jobs sent in the 30 days up to $today of which it is known whether they were in time, beside the 30 before.
SELECT count(*) FILTER (recent) AS jobs, count(*) FILTER (recent AND stated) AS stated,
       avg(in_time::INTEGER) FILTER (recent) AS share, avg(in_time::INTEGER) FILTER (NOT recent) AS share_before
FROM (SELECT day > $today::DATE - 30 AS recent, basis = 'stated' AS stated,
             coalesce(in_time, CASE WHEN due_at < $now THEN false END) AS in_time
      FROM job_due
      WHERE day > $today::DATE - 60 AND day <= $today::DATE)
WHERE in_time IS NOT NULL

-- name: punctual_month
-- The same for each of the last 30 days, over the seven days up to it.
SELECT day, sum(sum(in_time::INTEGER)) OVER week / sum(count(*)) OVER week AS share
FROM (SELECT day, coalesce(in_time, CASE WHEN due_at < $now THEN false END) AS in_time FROM job_due
      WHERE day > $today::DATE - 37 AND day <= $today::DATE)
WHERE in_time IS NOT NULL
GROUP BY day
WINDOW week AS (ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW)
QUALIFY day > $today::DATE - 30
ORDER BY day

-- name: trend_span
-- One row: the first and the last day that has a finished attempt.
SELECT min(day) AS first, max(day) AS last FROM work_cell

-- name: trend_days
-- Cost, units and tokens by day, class, model and (where $by_tag names one) value of a tag, within the filters (null and
-- the empty list = all). `counted_usd`: of attempts whose units are known, so that the cost per unit is exact.
SELECT w.day, w.class_id, w.class_name, w.model, w.unit, t.tags[$by_tag::VARCHAR] AS tag,
       sum(w.attempts)::BIGINT AS attempts, sum(w.units)::BIGINT AS units,
       coalesce(sum(w.attempts) FILTER (w.usable), 0)::BIGINT AS usable,
       coalesce(sum(w.attempts) FILTER (NOT w.usable), 0)::BIGINT AS failures,
       coalesce(sum(w.attempts) FILTER (w.rerun), 0)::BIGINT AS reruns,
       sum(w.cost_usd) AS cost_usd, sum(w.cost_usd) FILTER (w.uncounted = 0) AS counted_usd,
       CASE WHEN bool_or(NOT w.usable) THEN sum(w.cost_usd) FILTER (NOT w.usable) ELSE 0 END AS wasted_usd,
       counted_usd / nullif(sum(w.units), 0)::DOUBLE AS unit_cost_usd,
       sum(w.cache_read_tokens)::BIGINT AS cache_read_tokens,
       sum(w.cache_write_5m_tokens + w.cache_write_1h_tokens)::BIGINT AS cache_write_tokens,
       sum(w.cache_read_tokens)::DOUBLE
           / nullif(sum(w.cache_read_tokens + w.cache_write_5m_tokens + w.cache_write_1h_tokens), 0) AS hit_rate,
       sum(w.input_tokens)::BIGINT AS input_tokens, sum(w.output_tokens)::BIGINT AS output_tokens,
       sum(w.unpriced)::BIGINT AS unpriced
FROM work_cell w
LEFT JOIN tag_set t USING (tag_set)
WHERE w.day BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR w.class_name = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], w.model))
  AND ($tag_name::VARCHAR IS NULL OR t.tags[$tag_name] = $tag_value)
GROUP BY w.day, w.class_id, w.class_name, w.model, w.unit, t.tags[$by_tag::VARCHAR]
ORDER BY w.day, w.class_name, w.class_id, w.model, tag

-- name: failure_days
-- Attempts that gave nothing usable, by day and cause, within the filters of the trends.
SELECT w.day, coalesce(w.cause, 'unknown') AS cause, sum(w.attempts)::BIGINT AS attempts, sum(w.cost_usd) AS cost_usd
FROM work_cell w
LEFT JOIN tag_set t USING (tag_set)
WHERE NOT w.usable AND w.day BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR w.class_name = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], w.model))
  AND ($tag_name::VARCHAR IS NULL OR t.tags[$tag_name] = $tag_value)
GROUP BY w.day, w.cause
ORDER BY w.day, cause

-- name: day_jobs
-- The dearest $limit jobs of these days, each with its part within the filters of the trends; `jobs` counts them all.
SELECT w.job_id, w.role, any_value(j.state) AS state, any_value(c.name) AS class_name, w.model,
       any_value(j.submitted_at) AS submitted_at, any_value(j.ended_at) AS ended_at,
       sum(w.attempts)::BIGINT AS attempts, coalesce(sum(w.attempts) FILTER (w.usable), 0)::BIGINT AS usable,
       coalesce(sum(w.attempts) FILTER (NOT w.usable), 0)::BIGINT AS failures,
       sum(w.cost_usd) AS cost_usd,
       sum(w.cost_usd) / nullif(sum(w.attempts) FILTER (w.usable), 0)::DOUBLE AS unit_cost_usd,
       sum(w.cache_read_tokens)::DOUBLE
           / nullif(sum(w.cache_read_tokens + w.cache_write_5m_tokens + w.cache_write_1h_tokens), 0) AS hit_rate,
       count(*) OVER () AS jobs
FROM work_cell w
JOIN job j ON j.job_id = w.job_id
LEFT JOIN class c ON c.class_id = j.class_id
LEFT JOIN tag_set t USING (tag_set)
WHERE w.day BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR w.class_name = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], w.model))
  AND ($tag_name::VARCHAR IS NULL OR t.tags[$tag_name] = $tag_value)
GROUP BY w.job_id, w.role, w.model
ORDER BY cost_usd DESC NULLS LAST, w.job_id
LIMIT $limit

-- name: jobs_ended
-- Jobs of work that ended, within the filters of the trends, newest first, each with all that it cost. A job of several
-- classes has none, and is left out where one is chosen.
SELECT j.*, c.name AS class_name, w.cost_usd
FROM job j
LEFT JOIN class c ON c.class_id = j.class_id
LEFT JOIN (SELECT job_id, sum(cost_usd) AS cost_usd FROM cost_cell GROUP BY job_id) w ON w.job_id = j.job_id
WHERE j.ended_at IS NOT NULL AND j.trial_id IS NULL
  AND (j.submitted_at AT TIME ZONE 'UTC')::DATE BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR c.name = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], j.model))
  AND ($tag_name::VARCHAR IS NULL OR j.job_id IN (
      SELECT job_id FROM cost_cell JOIN tag_set t USING (tag_set) WHERE t.tags[$tag_name] = $tag_value))
ORDER BY j.submitted_at DESC, j.job_id

-- name: tag_values
-- Every value of every tag, for the filters, at most $limit of them.
SELECT DISTINCT tag.key AS name, tag.value AS value
FROM (SELECT unnest(map_entries(tags)) AS tag FROM tag_set)
ORDER BY name, value
LIMIT $limit
