-- name: chart_backlog_classes
-- What waits by class: estimated tokens of prompt, and how many of them repeat a prefix that can be cached.
WITH ratio AS (
    SELECT model, sum(prefix_tokens) / nullif(sum(prefix_chars), 0) AS tokens_per_char FROM class GROUP BY model
),
overall AS (SELECT avg(tokens_per_char) AS tokens_per_char FROM ratio)
SELECT s.class_id, coalesce(c.name, 'Not grouped yet') AS class_name, s.model, count(*) AS items,
       (sum(s.depths[-1]) * coalesce(any_value(r.tokens_per_char), any_value(o.tokens_per_char)))::DOUBLE
           AS prompt_tokens,
       coalesce(any_value(c.prefix_tokens) * (count(*) - 1) * any_value(c.cacheable)::INTEGER, 0)::DOUBLE
           AS cacheable_tokens
FROM item s
LEFT JOIN class c ON c.class_id = s.class_id
LEFT JOIN ratio r ON r.model = s.model
CROSS JOIN overall o
WHERE s.waits AND s.trial_id IS NULL
GROUP BY s.class_id, c.name, s.model
ORDER BY prompt_tokens DESC NULLS LAST, class_name
