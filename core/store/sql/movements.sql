-- Why cost moved: the cells that it is found in, what happened beside it, and what people say about it.

-- name: movement_span
-- The first and the last day with a finished attempt of work, and the day of the oldest job that is under way.
SELECT (SELECT min(day) FROM work_cell) AS first, (SELECT max(day) FROM work_cell) AS last,
       (SELECT min((submitted_at AT TIME ZONE 'UTC')::DATE) FROM job
        WHERE list_contains($running::VARCHAR[], state) AND trial_id IS NULL) AS under_way

-- name: movement_cells
-- The cells of work on some days: of all lines or of one, of some models, of one tag.
SELECT class_id, coalesce(class_name, class_id) AS class_name, job_id, model, day, cause, usable, billed, service_tier,
       inference_geo, above_tokens, attempts, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       cache_read_tokens, output_tokens, web_searches, cost_usd, unpriced, units, unit, uncounted
FROM work_cell
WHERE day BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR coalesce(class_name, class_id) = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], model))
  AND ($tag_name::VARCHAR IS NULL
       OR tag_set IN (SELECT tag_set FROM tag_set WHERE tags[$tag_name] = $tag_value::VARCHAR))
ORDER BY day, job_id

-- name: movement_line
-- The line of work that is meant by a class's id or name.
SELECT DISTINCT coalesce(name, class_id) AS class_name FROM class WHERE class_id = $named OR name = $named

-- name: movement_fingerprint
-- One value that changes with what movements are found from (days before $today) and what people say about them.
SELECT (SELECT md5(concat_ws('/', count(*), sum(attempts), sum(cost_usd), sum(output_tokens), max(day)))
        FROM work_cell WHERE day < $today::DATE) || '/' || (SELECT count(*) || '-' || count(reopened_at) FROM finding)
       || '/' || (SELECT count(*) || '-' || count(removed_at) FROM known_event) AS fingerprint

-- name: movement_classes
-- What is known of the prefix of each class that was attempted.
SELECT class_id, prefix_chars, prefix_tokens FROM class WHERE class_id IN (SELECT class_id FROM cost_cell)

-- name: movement_jobs
-- How the jobs of work met the cache: whether a primer went first, and how long entries were to live.
SELECT coalesce(c.name, j.class_id) AS class_name, (j.submitted_at AT TIME ZONE 'UTC')::DATE AS day,
       j.primer_job_id IS NOT NULL AS primed, j.cache_ttl, j.item_count AS items
FROM job j LEFT JOIN class c USING (class_id)
WHERE j.role = 'body' AND j.trial_id IS NULL AND j.class_id IS NOT NULL AND j.submitted_at IS NOT NULL
  AND (j.submitted_at AT TIME ZONE 'UTC')::DATE >= $first::DATE
ORDER BY day, j.job_id

-- name: movement_plans
-- What plans rested on, in the order in which they were made.
SELECT (created_at AT TIME ZONE 'UTC')::DATE AS day, inputs FROM plan
WHERE trial_id IS NULL AND (created_at AT TIME ZONE 'UTC')::DATE >= $first::DATE
ORDER BY created_at, plan_id

-- name: movement_items
-- Items by the file that they came in, their class and their cap on output: the first $lines of a file tell what it holds.
SELECT (f.started_at AT TIME ZONE 'UTC')::DATE AS day, f.source, coalesce(c.name, i.class_id) AS class_name,
       i.max_tokens, i.items
FROM (SELECT import_id, class_id, max_tokens, count(*) AS items FROM item
      WHERE line <= $lines AND trial_id IS NULL AND class_id IS NOT NULL AND created_at >= $first::DATE
      GROUP BY ALL) i
JOIN import_file f USING (import_id)
LEFT JOIN class c USING (class_id)
ORDER BY day, f.source, class_name, i.max_tokens

-- name: movement_routes
-- Routes as they were applied and withdrawn, under the names of their classes.
SELECT coalesce(c.name, r.class_id) AS class_name, r.from_model, r.model,
       (r.applied_at AT TIME ZONE 'UTC')::DATE AS applied, (r.withdrawn_at AT TIME ZONE 'UTC')::DATE AS withdrawn
FROM route r LEFT JOIN class c USING (class_id)
ORDER BY r.applied_at

-- name: movement_schedules
-- Recurring schedules as they began, paused and ended.
SELECT name, (created_at AT TIME ZONE 'UTC')::DATE AS created, (paused_at AT TIME ZONE 'UTC')::DATE AS paused,
       (removed_at AT TIME ZONE 'UTC')::DATE AS removed
FROM recurring
ORDER BY created_at

-- name: findings
-- Movements that somebody resolved, the newest word first.
SELECT key, class_name, kind, since, usd_month, note, resolved_at, resolved_by FROM finding
WHERE reopened_at IS NULL
ORDER BY resolved_at DESC

-- name: add_finding
-- A movement is dealt with.
INSERT INTO finding (key, class_name, kind, since, usd_month, note, resolved_at, resolved_by)
VALUES ($key, $class_name, $kind, $since, $usd_month, $note, $now, $by)

-- name: reopen_finding
-- It is not, after all.
UPDATE finding SET reopened_at = $now, reopened_by = $by
WHERE class_name IS NOT DISTINCT FROM $class_name AND kind = $kind AND reopened_at IS NULL
  AND since BETWEEN $since::DATE - $days AND $since::DATE + $days
RETURNING key

-- name: known_events
-- Days on which something is known to happen, the newest first.
SELECT event_id, class_name, first_day, last_day, said, added_by FROM known_event
WHERE removed_at IS NULL
ORDER BY first_day DESC, said

-- name: add_known_event
-- Something is known to happen on some days.
INSERT INTO known_event (event_id, class_name, first_day, last_day, said, added_at, added_by)
VALUES ($event_id, $class_name, $first, $last, $said, $now, $by)

-- name: remove_known_event
-- Nothing is known of these days after all.
UPDATE known_event SET removed_at = $now, removed_by = $by
WHERE event_id = $event_id AND removed_at IS NULL
RETURNING event_id
