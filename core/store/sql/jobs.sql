-- name: jobs_in
-- Jobs in one of the states, oldest first.
SELECT * FROM job WHERE list_contains($states, state) ORDER BY created_at, role = 'body', job_id

-- name: job
-- One job with what its attempts came to.
SELECT * FROM job_status WHERE job_id = $job_id

-- name: job_requests
-- What a job sends: where each item's parameters lie, where its marks go and how many bytes they add.
SELECT a.custom_id, i.import_id, i.payload_offset, i.payload_bytes, a.marks, a.split_chars,
       coalesce(list_sum(list_transform(a.marks, lambda block: i.overheads[block + 1])), 0)::BIGINT AS mark_bytes,
       coalesce(j.cache_ttl, '1h') AS cache_ttl
FROM attempt a
JOIN job j USING (job_id)
JOIN item i USING (item_id)
WHERE a.job_id = $job_id
ORDER BY i.import_id, i.payload_offset

-- name: set_state
-- A job moves on, with the reason where a person should know it.
UPDATE job SET state = $state, reason = $reason WHERE job_id = $job_id

-- name: leave_state
-- A job moves on from one of the states that it may leave; no row where somebody was faster.
UPDATE job SET state = $state, reason = $reason WHERE job_id = $job_id AND list_contains($leaving, state)
RETURNING role, primer_job_id IS NOT NULL AS primed, intent_at IS NOT NULL AS tried

-- name: still_waits
-- Whether a body still waits for its primer: it may have been called off.
SELECT job_id FROM job WHERE job_id = $job_id AND state = 'waiting'

-- name: set_intent
-- The create call comes next: from here on the API may hold this job.
UPDATE job SET state = 'sending', reason = NULL, intent_at = $now WHERE job_id = $job_id AND state = 'planned'
RETURNING job_id

-- name: set_running
-- The API has this job as the given batch.
UPDATE job SET state = 'running', reason = NULL, batch_id = $batch_id, submitted_at = $submitted_at,
               expires_at = $expires_at
WHERE job_id = $job_id

-- name: disown_batch
-- The batch that was taken for this job turned out to be somebody else's.
UPDATE job SET state = 'unknown', batch_id = NULL, submitted_at = NULL, expires_at = NULL, ended_at = NULL,
               processing = item_count, succeeded = 0, errored = 0, canceled = 0, expired = 0
WHERE job_id = $job_id

-- name: set_progress
-- What the API says of a batch.
UPDATE job SET state = $state, reason = NULL, processing = $processing, succeeded = $succeeded, errored = $errored,
               canceled = $canceled, expired = $expired, ended_at = $ended_at
WHERE job_id = $job_id

-- name: set_done
-- The results are verified, priced and stored.
UPDATE job SET state = 'done', reason = NULL, ingested_at = $now WHERE job_id = $job_id

-- name: forget_sending
-- After a start: a create call that was under way when the process died may have arrived.
UPDATE job SET state = 'unknown', reason = 'The process ended during the create call.' WHERE state = 'sending'
RETURNING job_id

-- name: free_items
-- The items of a job that was never sent: their attempts are over, unbilled, and may be repaired.
UPDATE attempt SET outcome = 'canceled', usable = false, cause = 'not_sent', action = $action, message = $message,
                   cost_usd = 0, submitted_at = $now
WHERE job_id = $job_id AND outcome IS NULL

-- name: owned_batches
-- Batches that belong to a job already.
SELECT batch_id FROM job WHERE batch_id IS NOT NULL

-- name: entry_primers
-- Every primer item of a body's plan, by the cache entries that it writes: the canaries of what uses those.
-- Own: it was sent for this very entry. Warm: it was sent after $since.
SELECT path.entry_id, path.entry_id = a.entry_id AS own, j.job_id, j.state, j.parent_job_id, j.submitted_at >= $since AS warm, a.outcome, a.usable,
       a.cause, a.action, a.message,
       coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0) + coalesce(a.cache_read_tokens, 0)
           AS cached_tokens
FROM job body
JOIN job j ON j.plan_id = body.plan_id AND j.role = 'primer'
JOIN attempt a ON a.job_id = j.job_id
JOIN attempt_path p ON p.job_id = a.job_id AND p.item_id = a.item_id,
     unnest(p.entries) AS path (entry_id)
WHERE body.job_id = $job_id
ORDER BY path.entry_id, j.parent_job_id NULLS FIRST, a.item_id

-- name: body_entries
-- The items of a body by the cache entries on their way, the innermost last; an item without marks needs none.
SELECT entries, marks, split_chars, count(*) AS items
FROM attempt_path WHERE job_id = $job_id AND len(entries) > 0
GROUP BY ALL
ORDER BY items DESC, entries

-- name: unmark_job
-- Nothing that this job could read is there: send its items without marks.
UPDATE attempt SET marks = [], split_chars = NULL, entry_id = NULL WHERE job_id = $job_id

-- name: keep_marks
-- Items of a job that use one innermost entry keep only their first marks, up to another entry (or to none).
UPDATE attempt SET marks = marks[1:$kept], split_chars = NULL, entry_id = $to_entry_id
WHERE job_id = $job_id AND entry_id = $entry_id

-- name: set_unmarked
-- A job in which nothing is marked has no cache lifetime.
UPDATE job SET cache_ttl = NULL
WHERE job_id = $job_id AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.job_id = $job_id AND len(a.marks) > 0)

-- name: set_uncacheable
-- A marked primer neither wrote nor read this entry: its prefix lies under the model's floor.
UPDATE class SET cacheable = false WHERE class_id = $entry_id

-- name: set_body
-- The body's exact size, after its items or marks changed.
UPDATE job SET body_bytes = $body_bytes, item_count = $item_count, processing = $item_count WHERE job_id = $job_id

-- name: median_item
-- An item of middling size of a job, among those that use one innermost entry, for priming.
SELECT a.item_id FROM attempt a JOIN item i USING (item_id) WHERE a.job_id = $job_id AND a.entry_id = $entry_id
ORDER BY i.payload_bytes, a.item_id
LIMIT 1 OFFSET (SELECT (count(*) // 2)::BIGINT FROM attempt WHERE job_id = $job_id AND entry_id = $entry_id)

-- name: move_item
-- An item not yet sent goes with another job.
UPDATE attempt SET job_id = $to_job_id, custom_id = $custom_id WHERE job_id = $job_id AND item_id = $item_id

-- name: wait_for
-- The bodies of a class wait for another primer.
UPDATE job SET primer_job_id = $new_job_id
WHERE primer_job_id = $old_job_id AND class_id = $class_id AND state = 'waiting'

-- name: set_reason
-- Why a job does not move on just now.
UPDATE job SET reason = $reason WHERE job_id = $job_id

-- name: job_kinds
-- Whether the workspace holds simulated jobs, and whether it holds real ones.
SELECT coalesce(bool_or(simulated), false) AS simulated, coalesce(bool_or(NOT simulated), false) AS real FROM job
