-- What the next savings are found in, and what became of those that were taken.

-- name: opportunity_cells
-- Finished work from $first to $last, one row per job and all that tells its attempts apart in cost.
SELECT job_id, class_id, class_name, model, role, outcome, cause, service_tier, inference_geo, submitted_at, day, usable,
       billed, rerun, unit, above_tokens, sum(attempts)::BIGINT AS attempts, sum(input_tokens)::BIGINT AS input_tokens,
       sum(cache_write_5m_tokens)::BIGINT AS cache_write_5m_tokens,
       sum(cache_write_1h_tokens)::BIGINT AS cache_write_1h_tokens,
       sum(cache_read_tokens)::BIGINT AS cache_read_tokens, sum(output_tokens)::BIGINT AS output_tokens,
       sum(web_searches)::BIGINT AS web_searches, sum(unpriced)::BIGINT AS unpriced,
       sum(uncounted)::BIGINT AS uncounted, sum(units)::DOUBLE AS units,
       sum(cost_usd) AS cost_usd
FROM work_cell
WHERE day BETWEEN $first::DATE AND $last::DATE
GROUP BY ALL
ORDER BY day, job_id

-- name: opportunity_jobs
-- The jobs that were sent from $first to $last: which primer they waited for, how long after its end they went, how long what
-- it wrote lives there, and who sent them. The history of a demo ran at life's speed, its server does not.
SELECT j.job_id, coalesce(j.primer_job_id, j.job_id) AS send,
       coalesce(s.name, CASE WHEN j.role = 'history' THEN 'others on the account' ELSE 'by hand' END) AS pipeline,
       epoch(j.submitted_at - p.ended_at) AS cold_seconds,
       CASE j.cache_ttl WHEN '5m' THEN 300.0 WHEN '1h' THEN 3600.0 END
           / CASE WHEN starts_with(j.batch_id, 'msgbatch_demo') THEN 1 ELSE $scale END AS life_seconds
FROM job j
LEFT JOIN job p ON p.job_id = j.primer_job_id
LEFT JOIN recurring_run r ON r.plan_id = j.plan_id
LEFT JOIN recurring s USING (schedule_id)
WHERE (j.submitted_at AT TIME ZONE 'UTC')::DATE BETWEEN $first::DATE AND $last::DATE AND j.trial_id IS NULL
ORDER BY j.submitted_at, j.job_id

-- name: opportunity_classes
-- Every class that worked, with its prefix (null where what its requests share is not known) and its first day.
SELECT c.class_id, c.name AS class_name, c.model, CASE WHEN NOT c.inferred THEN c.prefix_tokens END AS prefix_tokens,
       w.first_day
FROM class c JOIN (SELECT class_id, min(day) AS first_day FROM work_cell GROUP BY class_id) w USING (class_id)
ORDER BY c.class_id

-- name: opportunity_heads
-- Beginnings that classes share, in tokens by what each class's own prefix comes to a character.
SELECT h.class_id, h.head_id, (h.chars * c.prefix_tokens / c.prefix_chars)::BIGINT AS tokens
FROM class_head h JOIN class c USING (class_id)
WHERE NOT c.inferred AND c.prefix_chars > 0
ORDER BY h.head_id, h.class_id

-- name: newest_work
-- The last day up to $today that has finished work.
SELECT max(day) AS day FROM cost_cell WHERE day <= $today::DATE

-- name: duplicates_paid
-- What was paid from $first to $last for content that had a usable answer before, under another id: by class and job. Items
-- that came in long before are not compared with: a new answer to them may well be wanted.
WITH recent AS (
    SELECT * FROM copied_attempt
    WHERE submitted_at >= $first::DATE AND submitted_at < $last::DATE + 1 AND created_at >= $first::DATE - 1
), answered AS (
    SELECT content, min((submitted_at, item_id)) FILTER (usable) AS first FROM recent GROUP BY content
)
SELECT r.class_id, r.job_id, (r.submitted_at AT TIME ZONE 'UTC')::DATE AS day, count(*) AS attempts,
       sum(r.cost_usd) AS cost_usd
FROM recent r JOIN answered f USING (content)
WHERE f.first IS NOT NULL AND (r.submitted_at, r.item_id) > f.first AND r.item_id <> f.first[2] AND r.cost_usd > 0
GROUP BY ALL
ORDER BY day, r.job_id

-- name: add_promise
-- Somebody takes up a saving: what is expected of it, and what it is measured against.
INSERT INTO promise BY NAME
SELECT $promise_id AS promise_id, $key AS key, $kind AS kind, $class_id AS class_id, $class_name AS class_name,
       $said AS said, $confidence AS confidence, $usd_month AS usd_month, $low AS low, $high AS high,
       $baseline_first AS baseline_first, $baseline_last AS baseline_last, $baseline_unit_usd AS baseline_unit_usd,
       $units_month AS units_month, $now AS taken_at, $by AS taken_by

-- name: promises
-- Every saving that was taken up, newest first.
SELECT * FROM promise ORDER BY taken_at DESC, promise_id

-- name: dismiss_saving
-- Nobody wants to hear of this saving as it is now.
INSERT INTO dismissal VALUES ($key, $usd_month, $note, $now, $by)
ON CONFLICT (key) DO UPDATE SET usd_month = excluded.usd_month, note = excluded.note,
                                dismissed_at = excluded.dismissed_at, dismissed_by = excluded.dismissed_by

-- name: dismissals
-- What was dismissed, with what it was worth then.
SELECT key, usd_month FROM dismissal ORDER BY key

-- name: opportunity_fingerprint
-- One value for all that the next savings rest on: the days that are over (all work, while there is one day only), and
-- what people decided.
SELECT concat_ws('/', (SELECT concat(max(day), CASE WHEN min(day) = max(day) THEN sum(attempts) END) FROM cost_cell),
                 (SELECT count(*) FROM promise),
                 (SELECT concat(count(*), max(dismissed_at)) FROM dismissal),
                 (SELECT count(*) + count(withdrawn_at) FROM route),
                 (SELECT coalesce(bit_xor(hash(trial_id, state, reason)), 0) FROM trial),
                 (SELECT concat(count(*), max(labelled_at)) FROM label)) AS fingerprint

-- name: ids_of_jobs
-- A few ids of items of each of these jobs, none of which was sent before $since, by class.
SELECT class_id, item_id FROM attempt WHERE submitted_at >= $since AND list_contains($job_ids::VARCHAR[], job_id)
QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY item_id) <= 3
ORDER BY class_id, item_id

-- name: waiting_since
-- Since when what waits came in; null where nothing does.
SELECT min(created_at) AS since FROM item WHERE payload_offset IS NOT NULL AND trial_id IS NULL AND waits
