-- name: jobs_in
-- Jobs in one of the states, oldest first.
SELECT * FROM job WHERE list_contains($states, state) ORDER BY created_at, role = 'body', job_id

-- name: job
-- One job with what its attempts came to.
SELECT * FROM job_status WHERE job_id = $job_id

-- name: job_requests
-- What a job sends: where each item's parameters lie and whether to mark them.
SELECT a.custom_id, a.marked, i.import_id, i.payload_offset, i.payload_bytes, c.prefix_blocks,
       i.overheads[c.prefix_blocks + 1]::BIGINT AS mark_bytes
FROM attempt a
JOIN item i USING (item_id)
JOIN class c ON c.class_id = a.class_id
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
-- Whether a body still waits for this primer: it may have been called off, or wait for another one.
SELECT job_id FROM job WHERE job_id = $job_id AND state = 'waiting' AND primer_job_id = $primer_job_id

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

-- name: primer_verdicts
-- How each class's primer item of a primer job came out: the canary of the bodies that wait for it.
SELECT a.class_id, a.outcome, a.usable, a.cause, a.action, a.message,
       coalesce(a.cache_write_1h_tokens, 0) + coalesce(a.cache_read_tokens, 0) AS cached_tokens
FROM attempt a WHERE a.job_id = $job_id

-- name: unmark_job
-- The prefix turned out to lie under the floor: send the items without marks.
UPDATE attempt SET marked = false WHERE job_id = $job_id

-- name: set_body
-- The body's exact size, after its items or marks changed.
UPDATE job SET body_bytes = $body_bytes, item_count = $item_count, processing = $item_count WHERE job_id = $job_id

-- name: median_item
-- An item of middling size of a job, for priming.
SELECT a.item_id FROM attempt a JOIN item i USING (item_id) WHERE a.job_id = $job_id
ORDER BY i.payload_bytes, a.item_id
LIMIT 1 OFFSET (SELECT (count(*) // 2)::BIGINT FROM attempt WHERE job_id = $job_id)

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
