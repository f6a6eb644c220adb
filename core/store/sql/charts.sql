-- name: chart_unit_cost_days
-- Cost, units and tokens by day and class from a day on: what spend, cost per unit and hit rate are drawn from.
SELECT * FROM unit_cost_day WHERE day >= $since::DATE ORDER BY day, class_name, model

-- name: chart_failure_days
-- Attempts that gave nothing usable, by day and cause, with what they cost all the same.
SELECT (submitted_at AT TIME ZONE 'UTC')::DATE AS day, coalesce(cause, 'unknown') AS cause,
       count(*) AS attempts, sum(cost_usd) AS cost_usd
FROM attempt
WHERE outcome IS NOT NULL AND NOT usable AND submitted_at >= $since
GROUP BY ALL
ORDER BY day, cause

-- name: chart_jobs
-- Jobs that have ended, newest first: predicted against actual cost, and how long they took.
SELECT * FROM job_status
WHERE ended_at IS NOT NULL AND submitted_at >= $since
ORDER BY submitted_at DESC, job_id

-- name: chart_backlog_classes
-- What waits by class: estimated tokens of prompt, and how many of them repeat a prefix that can be cached.
WITH ratio AS (
    SELECT model, sum(prefix_tokens) / nullif(sum(prefix_chars), 0) AS tokens_per_char FROM class GROUP BY model
),
overall AS (SELECT avg(tokens_per_char) AS tokens_per_char FROM ratio)
SELECT s.class_id, coalesce(c.name, 'Not grouped yet') AS class_name, s.model, count(*) AS items,
       (sum(i.depths[-1]) * coalesce(any_value(r.tokens_per_char), any_value(o.tokens_per_char)))::DOUBLE
           AS prompt_tokens,
       coalesce(any_value(c.prefix_tokens) * (count(*) - 1) * any_value(c.cacheable)::INTEGER, 0)::DOUBLE
           AS cacheable_tokens
FROM item_status s
JOIN item i USING (item_id)
LEFT JOIN class c ON c.class_id = s.class_id
LEFT JOIN ratio r ON r.model = s.model
CROSS JOIN overall o
WHERE s.status = 'backlog'
GROUP BY s.class_id, c.name, s.model
ORDER BY prompt_tokens DESC NULLS LAST, class_name
