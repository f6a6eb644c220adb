-- name: slice_causes
-- The open failures of a job by cause.
SELECT cause, action, count(*)::BIGINT AS items, sum(cost_usd) AS cost_usd
FROM open_failure WHERE job_id = $job_id
GROUP BY cause, action ORDER BY items DESC, cause

-- name: slice_items
-- Open failures of a job that can be sent again as they are; marked where the class's cache entry is surely warm.
SELECT f.item_id, f.class_id, c.name AS class_name, f.model, c.prefix_blocks, c.prefix_chars, i.payload_bytes,
       i.max_tokens, coalesce(i.depths[-1], i.payload_bytes) AS chars, o.output_tokens,
       coalesce(i.overheads[c.prefix_blocks + 1], 0) > 0 AND w.class_id IS NOT NULL AS marked
FROM open_failure f
JOIN item i USING (item_id)
JOIN class c ON c.class_id = f.class_id
LEFT JOIN (
    SELECT class_id, avg(output_tokens) AS output_tokens FROM attempt WHERE outcome = 'succeeded' GROUP BY class_id
) o ON o.class_id = f.class_id
LEFT JOIN (
    SELECT DISTINCT a.class_id FROM attempt a JOIN job j USING (job_id)
    WHERE j.ended_at >= $warm_since AND (a.cache_write_1h_tokens > 0 OR a.cache_read_tokens > 0)
) w ON w.class_id = f.class_id
WHERE f.job_id = $job_id AND f.action = 'resubmit' AND i.payload_offset IS NOT NULL
ORDER BY f.item_id

-- name: repairs_of
-- The repair jobs of a job, newest first.
SELECT job_id, item_count, state FROM job WHERE parent_job_id = $job_id AND role = 'repair'
ORDER BY created_at DESC, job_id

-- name: repairable_jobs
-- Jobs with failures that can be sent again as they are, oldest first.
SELECT job_id FROM job_status WHERE repairable_items > 0 ORDER BY created_at, job_id
