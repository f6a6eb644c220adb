-- What a commitment is reckoned from: the work of the past by class, job and day, with what its price depends on.

-- name: demand_cells
-- Every cell of work up to a day (not included), with the usable items that it gave.
SELECT class_id, coalesce(class_name, class_id) AS class_name, job_id, day, submitted_at, model, service_tier,
       inference_geo, above_tokens, billed, unpriced, attempts, input_tokens, cache_write_5m_tokens,
       cache_write_1h_tokens, cache_read_tokens, output_tokens, web_searches,
       CASE WHEN usable THEN attempts ELSE 0 END AS units
FROM work_cell
WHERE day < $today::DATE AND day >= $today::DATE - $days
ORDER BY class_name, job_id, day
