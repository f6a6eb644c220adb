-- The ledger: what plans predicted of their jobs, and what came.

-- name: add_predictions
-- What a plan predicts of its jobs, measure by measure.
INSERT INTO prediction BY NAME SELECT * FROM incoming

-- name: classes_that_ran
-- Every class that had a job, on each model that it ran on, the one with most attempts first.
SELECT a.class_id, coalesce(c.name, a.class_id) AS name, a.model
FROM cost_cell a
LEFT JOIN class c ON c.class_id = a.class_id
WHERE a.job_id NOT IN (SELECT job_id FROM job WHERE trial_id IS NOT NULL)
GROUP BY ALL
ORDER BY sum(a.attempts) DESC, name, a.model
LIMIT 200

-- name: predictions_listed
-- The ledger within the filters of the trends (null = all), oldest first.
SELECT known_at, job_id, class_name, model, items, measure, point, low, high, actual, basis FROM prediction_met
WHERE (submitted_at AT TIME ZONE 'UTC')::DATE BETWEEN $first::DATE AND $last::DATE
  AND ($class_name::VARCHAR IS NULL OR class_name = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], model))
ORDER BY known_at, job_id, measure

-- name: export_predictions
-- Every prediction with its interval, and what came of it where that is known.
SELECT p.*, m.class_id, m.class_name, m.model, m.role, m.known_at, m.actual, m.actual BETWEEN p.low AND p.high AS inside
FROM prediction p
LEFT JOIN prediction_met m USING (job_id, measure)
ORDER BY p.made_at, p.job_id, p.measure

-- name: predictions_met
-- Every prediction whose job is done, with what came, in the order in which that was known.
SELECT * FROM prediction_met ORDER BY known_at, job_id, measure
