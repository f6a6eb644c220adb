-- name: demo_present
-- Whether the simulated history is already there.
SELECT count(*) AS jobs FROM job WHERE starts_with(batch_id, 'msgbatch_demo')

-- name: demo_add_imports
-- The request files of the simulated history.
INSERT INTO import_file BY NAME SELECT * FROM incoming

-- name: demo_add_classes
-- The classes of the simulated history; one that the backlog has found already takes its name from here.
INSERT INTO class BY NAME SELECT * FROM incoming
ON CONFLICT (class_id) DO UPDATE SET name = excluded.name, created_at = excluded.created_at

-- name: demo_add_plans
-- One plan for every simulated send.
INSERT INTO plan BY NAME SELECT * FROM incoming

-- name: demo_add_jobs
-- Primers, bodies and repairs, all marked as simulated.
INSERT INTO job BY NAME SELECT * FROM incoming

-- name: demo_add_items
-- Items: a payload and a chain only where a repair may still need them.
INSERT INTO item BY NAME SELECT * FROM incoming

-- name: demo_add_attempts
-- What every item did in every job it was in, priced on its day.
INSERT INTO attempt BY NAME
SELECT * EXCLUDE (custom_id), nullif(custom_id, job_id || '-' || item_id) AS sent_as FROM incoming

-- name: demo_add_completions
-- The first usable result of each item, in the order of the jobs' ends.
INSERT INTO completion
SELECT (SELECT coalesce(max(seq), 0) FROM completion) + row_number() OVER (ORDER BY j.ended_at, a.job_id, a.item_id),
       a.item_id, a.job_id, c.name, j.ended_at
FROM attempt a
JOIN job j ON j.job_id = a.job_id
LEFT JOIN class c ON c.class_id = a.class_id
WHERE a.usable AND starts_with(j.batch_id, 'msgbatch_demo')
QUALIFY row_number() OVER (PARTITION BY a.item_id ORDER BY a.number) = 1

-- name: demo_plans_met
-- The jobs of the simulated plans as they were planned, and what came of them, in the order in which they were sent.
SELECT j.job_id, j.plan_id, j.class_id, j.model, j.item_count AS items, j.submitted_at, j.submitted_at AS send_at,
       j.predicted_usd, j.predicted_read_tokens, j.predicted_write_tokens,
       CASE WHEN j.primer_job_id IS NOT NULL THEN j.prediction_basis END AS prediction_basis, j.ended_at AS known_at,
       j.cost_usd::DOUBLE AS cost, epoch(j.ended_at - j.submitted_at) AS seconds, j.hit_rate::DOUBLE AS hit_rate
FROM job_status j
WHERE j.plan_id IS NOT NULL AND starts_with(j.batch_id, 'msgbatch_demo')
ORDER BY j.submitted_at, j.job_id

-- name: demo_counts
-- How much there is, for the summary.
SELECT (SELECT count(*) FROM job WHERE simulated) AS jobs,
       (SELECT count(*) FROM item) AS items,
       (SELECT count(*) FROM attempt) AS attempts,
       (SELECT count(*) FROM open_failure) AS open_failures,
       (SELECT min(submitted_at) FROM job WHERE simulated) AS first_at,
       (SELECT sum(cost_usd) FROM attempt) AS spend_usd
