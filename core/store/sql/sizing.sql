-- What finished jobs teach the next plan about times, faults and output.

-- name: turnaround_history
-- Seconds from create to end of every job that ran to its end. Simulated jobs ended after 24 hours of their own time
-- too; the history of a demo ran at life's speed, its server does not.
SELECT model, class_id, item_count::BIGINT AS items, submitted_at, seconds,
       expired > 0 AND seconds >= 0.95 * 86400 / $scale AS expired
FROM (SELECT *, epoch(ended_at - submitted_at) / CASE WHEN starts_with(batch_id, 'msgbatch_demo') THEN $scale ELSE 1 END
             AS seconds
      FROM job
      WHERE ended_at IS NOT NULL AND submitted_at IS NOT NULL AND cancel_accepted_at IS NULL AND canceled = 0
        AND role <> 'twin')
WHERE seconds > 0
ORDER BY submitted_at, job_id

-- name: fault_history
-- Faults of every finished job, by class.
SELECT class_id, c.name AS class_name, f.model, submitted_at, items, billed_faults, unbilled_faults, voided
FROM job_fault f
LEFT JOIN class c USING (class_id)
ORDER BY submitted_at, job_id, class_id

-- name: output_history
-- Output tokens of each class's results by job: how many, their mean and their variance.
SELECT a.class_id, c.name AS class_name, a.model, j.submitted_at, sum(a.attempts)::BIGINT AS items,
       sum(a.output_tokens) / sum(a.attempts) AS mean,
       greatest(sum(a.output_squares) / sum(a.attempts) - (sum(a.output_tokens) / sum(a.attempts)) ** 2, 0) AS variance
FROM cost_cell a
JOIN job j USING (job_id)
LEFT JOIN class c ON c.class_id = a.class_id
WHERE a.outcome = 'succeeded' AND j.submitted_at IS NOT NULL
GROUP BY a.class_id, c.name, a.model, a.job_id, j.submitted_at
ORDER BY j.submitted_at, a.job_id, a.class_id
