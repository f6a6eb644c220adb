-- name: jobs_in
-- Jobs in one of the states: those that were called off, then the others as they were planned to go.
SELECT * FROM job WHERE list_contains($states, state)
ORDER BY cancel_requested_at IS NULL, coalesce(send_at, created_at), created_at, role IN ('body', 'trial'), place, job_id

-- name: count_jobs_in
-- How many jobs are in one of the states.
SELECT count(*) AS jobs FROM job WHERE list_contains($states, state)

-- name: queued_requests
-- Requests that the API holds or may hold, and has not finished.
SELECT coalesce(sum(processing), 0)::BIGINT AS requests FROM job WHERE state IN ('sending', 'unknown', 'running')

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
-- The create call comes next: from here on the API may hold this job. Not where it was called off, or all sending is
-- stopped.
UPDATE job SET state = 'sending', reason = NULL, intent_at = $now, intent_after = $after, intent_after_id = $after_id
WHERE job_id = $job_id AND state = 'planned' AND cancel_requested_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM halt WHERE lifted_at IS NULL)
RETURNING job_id

-- name: set_running
-- The API has this job as the given batch; provisional where only time and count say so. Not one that was called off
-- meanwhile: its items are free, and the batch is a second one then.
UPDATE job SET state = 'running', reason = NULL, batch_id = $batch_id, submitted_at = $submitted_at,
               expires_at = $expires_at, provisional = $provisional, absent_since = NULL, cancel_accepted_at = NULL,
               doubt_until = CASE WHEN doubt_until IS NOT NULL
                                  THEN greatest(doubt_until, $submitted_at::TIMESTAMPTZ + INTERVAL 48 HOUR) END
WHERE job_id = $job_id AND state NOT IN ('canceled', 'failed', 'gone', 'done')

-- name: disown_batch
-- The batch that was taken for this job turned out to be somebody else's.
UPDATE job SET state = 'unknown', batch_id = NULL, submitted_at = NULL, expires_at = NULL, ended_at = NULL,
               provisional = false, absent_since = NULL,
               processing = item_count, succeeded = 0, errored = 0, canceled = 0, expired = 0
WHERE job_id = $job_id

-- name: set_progress
-- What the API says of a batch.
UPDATE job SET state = $state, reason = NULL, processing = $processing, succeeded = $succeeded, errored = $errored,
               canceled = $canceled, expired = $expired, ended_at = $ended_at, absent_since = NULL
WHERE job_id = $job_id

-- name: set_done
-- The results are verified, priced and stored.
UPDATE job SET state = 'done', reason = NULL, ingested_at = $now, provisional = false WHERE job_id = $job_id

-- name: forget_sending
-- A create call that was under way when the process died, or could not be written down, may have arrived.
UPDATE job SET state = 'unknown', reason = $reason WHERE state = 'sending'
RETURNING job_id

-- name: free_items
-- The items of a job that was never sent: their attempts are over, unbilled, and may be repaired.
UPDATE attempt SET outcome = 'canceled', usable = false, cause = $cause, action = $action, message = $message,
                   cost_usd = 0, submitted_at = $now
WHERE job_id = $job_id AND outcome IS NULL

-- name: send_again
-- The API does not have this job: it goes once more, and a second batch of it is watched out for.
UPDATE job SET state = 'planned', reason = 'The API does not have it; it is sent again.', doubt_until = $until,
               absent_since = NULL,
               doubt_after = coalesce(doubt_after, intent_after),
               doubt_after_id = CASE WHEN doubt_after IS NULL THEN intent_after_id ELSE doubt_after_id END
WHERE job_id = $job_id

-- name: set_absent
-- The first look that did not find the batch of a job.
UPDATE job SET absent_since = $since WHERE job_id = $job_id

-- name: doubted_jobs
-- Jobs that were to be sent again and may have a late batch at the API.
SELECT * FROM job WHERE doubt_until IS NOT NULL AND state <> 'unknown'

-- name: end_doubt
-- No second batch of this job turned up in all the time in which one could.
UPDATE job SET doubt_until = NULL WHERE job_id = $job_id

-- name: unsettled_jobs
-- Jobs of a size that the API may have: in doubt, or to be sent again.
SELECT job_id FROM job
WHERE item_count = $items AND (state IN ('unknown', 'sending') OR (doubt_after IS NOT NULL AND list_contains(['planned', 'waiting', 'held'], state)))

-- name: known_batches
-- Batches that belong to a job already, or to somebody else.
SELECT batch_id FROM job WHERE batch_id IS NOT NULL UNION ALL SELECT batch_id FROM stranger

-- name: add_stranger
-- A batch proved to be somebody else's.
INSERT INTO stranger VALUES ($batch_id, $now) ON CONFLICT DO NOTHING

-- name: add_twin
-- A second batch of a job, made of a call whose reply was lost.
INSERT INTO job BY NAME
SELECT $twin_id AS job_id, plan_id, trial_id, job_id AS parent_job_id, 'twin' AS role, class_id, model, 'ended' AS state,
       item_count, body_bytes, cache_ttl, $submitted_at::TIMESTAMPTZ AS created_at, intent_at, intent_after,
       $batch_id AS batch_id, $submitted_at::TIMESTAMPTZ AS submitted_at, $expires_at::TIMESTAMPTZ AS expires_at,
       item_count AS processing, simulated
FROM job WHERE job_id = $job_id

-- name: add_twin_attempts
-- The items of a second batch, attempted once more each; its results name them as the job did.
INSERT INTO attempt BY NAME
SELECT $twin_id AS job_id, a.item_id, a.custom_id AS sent_as, a.class_id, a.model, a.marks, a.split_chars, a.entry_id,
       -- With content that was corrected since, it stays among the attempts at that content.
       CASE WHEN EXISTS (SELECT 1 FROM former_item f
                         WHERE f.item_id = a.item_id AND a.number BETWEEN f.first_attempt AND f.last_attempt)
            THEN a.number
            ELSE (SELECT max(number) + 1 FROM attempt b WHERE b.item_id = a.item_id) END::INTEGER AS number
FROM attempt a WHERE a.job_id = $job_id

-- name: lose_results
-- What a job's items came to can no longer be known, nor what they cost.
UPDATE attempt SET outcome = 'gone', usable = false, cause = 'results_gone', action = 'decide', message = $reason,
                   submitted_at = (SELECT submitted_at FROM job WHERE job_id = $job_id)
WHERE job_id = $job_id AND outcome IS NULL

-- name: tail_items
-- The last items of a job in the order in which they are sent.
SELECT a.item_id FROM attempt a JOIN item i USING (item_id) WHERE a.job_id = $job_id
ORDER BY i.import_id DESC, i.payload_offset DESC LIMIT $items

-- name: add_part
-- A job like another one, for some of its items.
INSERT INTO job BY NAME
SELECT $new_id AS job_id, plan_id, trial_id, parent_job_id, primer_job_id, role, class_id, model, state,
       $items AS item_count, body_bytes, (predicted_usd * $items / item_count)::DECIMAL(18, 9) AS predicted_usd,
       (predicted_plain_usd * $items / item_count)::DECIMAL(18, 9) AS predicted_plain_usd, cache_ttl,
       predicted_read_tokens * $items // item_count AS predicted_read_tokens,
       predicted_write_tokens * $items // item_count AS predicted_write_tokens, prediction_basis,
       send_at, ready_by, place, $now::TIMESTAMPTZ AS created_at, $items AS processing, cancel_requested_at, simulated
FROM job WHERE job_id = $job_id

-- name: take_part
-- What is predicted of a job is less by that of the part taken from it.
UPDATE job SET predicted_usd = job.predicted_usd - taken.predicted_usd,
               predicted_plain_usd = job.predicted_plain_usd - taken.predicted_plain_usd,
               predicted_read_tokens = job.predicted_read_tokens - taken.predicted_read_tokens,
               predicted_write_tokens = job.predicted_write_tokens - taken.predicted_write_tokens
FROM job taken WHERE job.job_id = $job_id AND taken.job_id = $new_id

-- name: items_reading
-- The items of a job that use one of these innermost entries.
SELECT item_id FROM attempt WHERE job_id = $job_id AND list_contains($entry_ids::VARCHAR[], entry_id) ORDER BY item_id

-- name: price_alike
-- A job that does once more what another one did is predicted to cost as much an item.
UPDATE job SET predicted_usd = (alike.predicted_usd * job.item_count / alike.item_count)::DECIMAL(18, 9),
               predicted_plain_usd = (alike.predicted_plain_usd * job.item_count / alike.item_count)::DECIMAL(18, 9)
FROM job alike WHERE job.job_id = $job_id AND alike.job_id = $alike_id

-- name: entry_primers
-- Every primer item of a body's plan, by the cache entries that it writes: the canaries of what uses those.
-- Own: it was sent for this very entry. Warm: it was sent after $since. Served: a body of the plan went after it.
SELECT path.entry_id, path.entry_id = a.entry_id AS own, j.job_id, j.state, j.parent_job_id, j.submitted_at >= $since AS warm,
       (SELECT max(sent.submitted_at) FROM job sent WHERE sent.plan_id = body.plan_id AND sent.role IN ('body', 'trial'))
           > j.submitted_at AS served,
       a.outcome, a.usable,
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

-- name: move_items
-- Items not yet sent go with another job, each under its new custom_id.
UPDATE attempt SET job_id = $to_job_id, sent_as = nullif(incoming.custom_id, $to_job_id || '-' || incoming.item_id)
FROM incoming WHERE attempt.job_id = $from_job_id AND attempt.item_id = incoming.item_id

-- name: wait_for
-- The bodies that read one of these entries wait for another primer.
UPDATE job SET primer_job_id = $new_job_id
WHERE primer_job_id = $old_job_id AND state = 'waiting'
  AND job_id IN (SELECT job_id FROM attempt WHERE list_contains($entry_ids::VARCHAR[], entry_id))

-- name: set_reason
-- Why a job does not move on just now.
UPDATE job SET reason = $reason WHERE job_id = $job_id

-- name: job_kinds
-- Whether the workspace holds simulated jobs, and whether it holds real ones.
SELECT coalesce(bool_or(simulated), false) AS simulated, coalesce(bool_or(NOT simulated), false) AS real FROM job
