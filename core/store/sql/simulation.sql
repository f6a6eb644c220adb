-- What was sent, to be sent again in a simulation, and what really became of it.

-- name: replayed_items
-- Every item whose first attempt was sent since $since and has ended: when it came in, and the job that it went into.
-- One that waited for more than 60 days before counts as if it came in when it was sent.
WITH recent AS (
    SELECT item_id, created_at, import_id, line, payload_bytes FROM item
    WHERE created_at >= $since::TIMESTAMPTZ - INTERVAL 60 DAY
)
SELECT a.class_id, a.model, a.job_id, j.primer_job_id, j.role = 'primer' AS primer,
       epoch(least(coalesce(i.created_at, j.submitted_at), j.submitted_at)) AS came_in, epoch(j.submitted_at) AS sent,
       CASE WHEN len(a.marks) = 0 AND coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)
                 + coalesce(a.cache_read_tokens, 0) = 0 THEN 0
            WHEN coalesce(j.cache_ttl, CASE WHEN bool_or(a.cache_write_5m_tokens > 0) OVER of_class THEN '5m' END) = '5m'
            THEN 300 ELSE 3600 END::DOUBLE AS life
FROM attempt a
JOIN job j USING (job_id)
LEFT JOIN recent i USING (item_id)
WHERE a.number = 1 AND j.trial_id IS NULL AND a.outcome IS NOT NULL AND a.submitted_at >= $since AND j.submitted_at >= $since AND j.submitted_at <= $now
WINDOW of_class AS (PARTITION BY a.job_id, a.class_id)
ORDER BY j.submitted_at, a.job_id, i.import_id, i.line

-- name: replayed_classes
-- The mean item of every class and model that was sent since $since: tokens, bytes, the prefix
-- that was cached, and the share of it that primed jobs read.
WITH recent AS (
    SELECT item_id, created_at, import_id, line, payload_bytes FROM item
    WHERE created_at >= $since::TIMESTAMPTZ - INTERVAL 60 DAY
)
SELECT a.class_id, c.name AS class_name, a.model, count(*) AS items,
       avg(coalesce(a.input_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)
           + coalesce(a.cache_read_tokens, 0)) FILTER (a.outcome = 'succeeded') AS input_tokens,
       avg(a.output_tokens) FILTER (a.outcome = 'succeeded') AS output_tokens,
       avg(nullif(coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)
           + coalesce(a.cache_read_tokens, 0), 0)) AS cached_tokens,
       (sum(a.cache_read_tokens) FILTER (j.primer_job_id IS NOT NULL))::DOUBLE
           / nullif(sum(coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)
                        + coalesce(a.cache_read_tokens, 0)) FILTER (j.primer_job_id IS NOT NULL), 0) AS read_rate,
       CASE WHEN c.cacheable AND NOT c.inferred THEN c.prefix_tokens ELSE 0 END AS prefix_tokens,
       avg(i.payload_bytes) AS item_bytes
FROM attempt a
JOIN job j USING (job_id)
LEFT JOIN recent i USING (item_id)
LEFT JOIN class c ON c.class_id = a.class_id
WHERE j.trial_id IS NULL AND a.outcome IS NOT NULL AND a.submitted_at >= $since AND j.submitted_at >= $since AND j.submitted_at <= $now
GROUP BY ALL
ORDER BY a.class_id, a.model

-- name: replayed_actual
-- One row: what really became of those items: cost, waste, jobs, and results within $within seconds of coming in.
-- `trouble`: share of jobs with failures; one more counts, so that it is never nothing.
WITH recent AS (
    SELECT item_id, created_at, import_id, line, payload_bytes FROM item
    WHERE created_at >= $since::TIMESTAMPTZ - INTERVAL 60 DAY
), first AS (
    SELECT a.item_id, least(coalesce(i.created_at, j.submitted_at), j.submitted_at) AS came_in
    FROM attempt a JOIN job j USING (job_id) LEFT JOIN recent i USING (item_id)
    WHERE a.number = 1 AND j.trial_id IS NULL AND a.outcome IS NOT NULL AND a.submitted_at >= $since AND j.submitted_at >= $since AND j.submitted_at <= $now
), tried AS MATERIALIZED (
    SELECT f.item_id, f.came_in, a.job_id, a.number, a.usable, a.cost_usd, j.role, j.ended_at
    FROM first f JOIN attempt a USING (item_id) JOIN job j ON j.job_id = a.job_id
    WHERE a.outcome IS NOT NULL AND a.submitted_at >= $since
), result AS (
    SELECT item_id, any_value(came_in) AS came_in, sum(cost_usd) AS cost_usd,
           sum(cost_usd) FILTER (NOT usable) AS wasted_usd, min(ended_at) FILTER (usable) AS ready_at
    FROM tried GROUP BY item_id
)
SELECT count(*) AS items, sum(cost_usd) AS cost_usd, coalesce(sum(wasted_usd), 0) AS wasted_usd,
       count(*) FILTER (epoch(ready_at - came_in) <= $within) / count(*)::DOUBLE AS on_time,
       avg(epoch(ready_at - came_in)) / 3600 AS hours,
       (SELECT count(DISTINCT job_id) FROM tried) AS jobs,
       (SELECT count(DISTINCT job_id) FROM tried WHERE role = 'repair') AS repairs,
       (SELECT count(DISTINCT job_id) FROM tried WHERE role = 'primer') AS primers,
       (SELECT (count(DISTINCT job_id) FILTER (NOT usable) + 1) / (count(DISTINCT job_id) + 1)
        FROM tried WHERE number = 1) AS trouble,
       (SELECT coalesce(bool_or(starts_with(j.batch_id, 'msgbatch_demo')), false)
        FROM job j WHERE j.submitted_at >= $since AND j.submitted_at <= $now) AS at_life_speed
FROM result
