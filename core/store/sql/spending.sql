-- name: spending
-- One row: measured cost of what was sent from here since $day and since $month, and the predicted cost of the jobs
-- that are claimed and not in a state $over. Jobs $leaving_out are just being added.
SELECT spent.*, committed.*
FROM (SELECT coalesce(sum(cost_usd) FILTER (submitted_at >= $day), 0) AS day_spent_usd,
             coalesce(sum(cost_usd), 0) AS month_spent_usd
      FROM cost_cell
      WHERE submitted_at >= $month AND job_id NOT IN (SELECT job_id FROM job WHERE role = 'history')) spent,
     (SELECT coalesce(sum(expected_usd) FILTER (coalesce(submitted_at, $now) >= $day), 0) AS day_committed_usd,
             coalesce(sum(expected_usd) FILTER (coalesce(submitted_at, $now) >= $month), 0) AS month_committed_usd
      FROM job_expected
      WHERE NOT list_contains($over::VARCHAR[], state) AND NOT list_contains($leaving_out::VARCHAR[], job_id)
     ) committed

-- name: add_confirmation
-- Somebody typed the amount of what goes over a budget.
INSERT INTO confirmation (confirmed_at, confirmed_by, plan_id, job_id, amount, budgets)
VALUES ($now, $by, $plan_id, $job_id, $amount, $budgets)

-- name: confirmation_of
-- Who confirmed the plan or the repair to which a job belongs, and for how much.
SELECT c.* FROM confirmation c JOIN job j ON j.plan_id = c.plan_id OR j.job_id = c.job_id WHERE j.job_id = $job_id

-- name: halt
-- Since when nothing is sent, and who wanted it; no row where sending goes on.
SELECT halted_at, halted_by FROM halt WHERE lifted_at IS NULL

-- name: halted
-- The same in words, for a refusal.
SELECT halted_at::VARCHAR AS since, halted_by AS by FROM halt WHERE lifted_at IS NULL

-- name: add_halt
-- Nothing is sent from now on; where that is so already, it stays as it is.
INSERT INTO halt (halted_at, halted_by)
SELECT $now, $by WHERE NOT EXISTS (SELECT 1 FROM halt WHERE lifted_at IS NULL)

-- name: lift_halt
-- Sending may go on; no row where nothing was stopped.
UPDATE halt SET lifted_at = $now, lifted_by = $by WHERE lifted_at IS NULL RETURNING halted_by

-- name: to_call_off
-- Jobs in one of the states that can be called off (this one, or all), with what they may still cost.
SELECT job_id, state, processing, expected_usd
FROM job_expected
WHERE list_contains($states::VARCHAR[], state) AND ($job_id::VARCHAR IS NULL OR job_id = $job_id)

-- name: request_cancel
-- The same jobs are called off, since they first were.
UPDATE job SET cancel_requested_at = $now
WHERE list_contains($states::VARCHAR[], state) AND ($job_id::VARCHAR IS NULL OR job_id = $job_id)
  AND cancel_requested_at IS NULL

-- name: called_off
-- Jobs in one of the states that were called off, or came about while all sending is stopped.
SELECT job_id FROM job
WHERE (cancel_requested_at IS NOT NULL OR EXISTS (SELECT 1 FROM halt WHERE lifted_at IS NULL))
  AND list_contains($states::VARCHAR[], state)

-- name: close_called_off
-- The same jobs are over.
UPDATE job SET state = 'canceled', reason = $reason, cancel_requested_at = coalesce(cancel_requested_at, $now)
WHERE (cancel_requested_at IS NOT NULL OR EXISTS (SELECT 1 FROM halt WHERE lifted_at IS NULL))
  AND list_contains($states::VARCHAR[], state)

-- name: free_called_off
-- The items of jobs that were called off before they were sent: unbilled, and may be repaired.
UPDATE attempt SET outcome = 'canceled', usable = false, cause = 'not_sent', action = $action, message = $message,
                   cost_usd = 0, submitted_at = $now
WHERE outcome IS NULL AND job_id IN (SELECT job_id FROM job WHERE state = 'canceled')

-- name: accept_cancel
-- The API has taken the cancel of this job.
UPDATE job SET cancel_accepted_at = $now WHERE job_id = $job_id

-- name: expected_job
-- A job as it would go now, with what it would cost.
SELECT job_id, plan_id, item_count, expected_usd AS predicted_usd FROM job_expected WHERE job_id = $job_id
