-- name: add_schedule
-- A recurring schedule, unless there is one of that name; returns its id.
INSERT INTO recurring (schedule_id, name, way, times, hours, items, class_items, need, lead_seconds, confidence,
                       class_ids, created_at, created_by, next_due)
SELECT $schedule_id, $name, $way, $times, $hours, $items, $class_items, $need, $lead_seconds, $confidence, $class_ids,
       $now, $by, $next_due
WHERE NOT EXISTS (SELECT 1 FROM recurring WHERE name = $name AND removed_at IS NULL)
RETURNING schedule_id

-- name: schedules
-- Every schedule that was not removed, with its last run.
SELECT s.* EXCLUDE (removed_at), r.* EXCLUDE (schedule_id, number, items), r.number AS run, r.items AS run_items
FROM recurring s
LEFT JOIN recurring_run_status r ON r.schedule_id = s.schedule_id AND r.number = s.runs
WHERE s.removed_at IS NULL
ORDER BY s.name

-- name: schedule_runs
-- The newest runs of all schedules, or of one.
SELECT s.name, r.*
FROM recurring_run_status r
JOIN recurring s USING (schedule_id)
WHERE s.removed_at IS NULL AND ($schedule_id IS NULL OR schedule_id = $schedule_id)
ORDER BY r.started_at DESC, s.name, r.number DESC
LIMIT $limit

-- name: schedules_refused
-- How many active schedules stand because a person has to look: their last run was refused, or failed.
SELECT count(*) AS schedules, min(s.name) AS name, min(r.reason) AS reason
FROM recurring s
JOIN recurring_run r ON r.schedule_id = s.schedule_id AND r.number = s.runs
WHERE s.removed_at IS NULL AND s.paused_at IS NULL AND r.state IN ('refused', 'failed')

-- name: claim_run
-- The next run of a schedule as it was seen, unless another run, a pause or its end came between; returns its number.
UPDATE recurring SET runs = runs + 1, next_due = $next_due, waits_for = NULL
WHERE schedule_id = $schedule_id AND runs = $runs AND removed_at IS NULL AND (paused_at IS NULL OR $by_person)
RETURNING runs

-- name: add_run
-- What a run did.
INSERT INTO recurring_run BY NAME
SELECT $schedule_id AS schedule_id, $number AS number, $due_at AS due_at, $missed_from AS missed_from,
       $now AS started_at, $by AS started_by, $state AS state, $reason AS reason, $amount AS amount,
       $plan_id AS plan_id, $items AS items, $jobs AS jobs, $predicted_usd AS predicted_usd, $needed_by AS needed_by

-- name: runs_due
-- The moments from $since on that had their run.
SELECT due_at FROM recurring_run WHERE schedule_id = $schedule_id AND due_at >= $since

-- name: set_next_due
-- When a schedule is due next, as its rhythm has it after the clock was set or it was resumed.
UPDATE recurring SET next_due = $next_due, paused_at = $paused_at, waits_for = NULL WHERE schedule_id = $schedule_id

-- name: set_waits_for
-- Why a run that is due has not begun.
UPDATE recurring SET waits_for = $reason WHERE schedule_id = $schedule_id

-- name: remove_schedule
-- It sends nothing any more; its runs stay on record.
UPDATE recurring SET removed_at = $now WHERE schedule_id = $schedule_id AND removed_at IS NULL

-- name: schedule_under_way
-- Classes of a schedule's jobs that are not over, and how many of those jobs wait for a person.
SELECT a.class_id, count(DISTINCT j.job_id) AS jobs, count(DISTINCT j.job_id) FILTER (j.state = 'held') AS held_jobs
FROM recurring_run r
JOIN job j USING (plan_id)
JOIN attempt a USING (job_id)
WHERE r.schedule_id = $schedule_id AND NOT list_contains($over::VARCHAR[], j.state)
GROUP BY a.class_id

-- name: waiting_by_class
-- What waits of each class (or of these), and since when.
SELECT class_id, count(*) AS items, min(created_at) AS oldest_at
FROM item i
WHERE payload_offset IS NOT NULL AND class_id IS NOT NULL AND trial_id IS NULL
  AND ($class_ids::VARCHAR[] IS NULL OR list_contains($class_ids::VARCHAR[], class_id))
  AND waits
GROUP BY class_id
ORDER BY class_id

-- name: arrivals
-- How many items of each class (or of these) came in, in steps of a quarter of an hour.
SELECT class_id, time_bucket(INTERVAL 15 MINUTE, created_at) AS came_at, count(*)::DOUBLE AS items
FROM item
WHERE class_id IS NOT NULL AND trial_id IS NULL AND created_at >= $since AND created_at <= $now
  AND ($class_ids::VARCHAR[] IS NULL OR list_contains($class_ids::VARCHAR[], class_id))
GROUP BY ALL
ORDER BY ALL

-- name: recurring_classes
-- What an item costs is worked out from, class by class (or of these), for those of which something came in.
SELECT c.class_id, c.name, c.model, c.prefix_tokens, c.cacheable, i.chars, i.max_tokens, a.prompt_tokens,
       a.output_tokens
FROM class c
JOIN (SELECT class_id, avg(depths[-1]) AS chars, avg(max_tokens) AS max_tokens
      FROM item WHERE created_at >= $since AND trial_id IS NULL GROUP BY class_id) i USING (class_id)
LEFT JOIN (SELECT class_id, sum(output_tokens) / sum(attempts) AS output_tokens,
                  sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens)
                      / sum(attempts) AS prompt_tokens
           FROM cost_cell WHERE outcome = 'succeeded' GROUP BY class_id) a USING (class_id)
WHERE $class_ids::VARCHAR[] IS NULL OR list_contains($class_ids::VARCHAR[], c.class_id)
ORDER BY c.class_id

-- name: class_named
-- The classes that a person means by an id or a name.
SELECT class_id, name FROM class WHERE class_id = $text OR name = $text ORDER BY class_id
