-- name: slice_causes
-- The open failures of a job by cause.
SELECT cause, action, count(*)::BIGINT AS items, sum(cost_usd) AS cost_usd
FROM open_failure WHERE job_id = $job_id
GROUP BY cause, action ORDER BY items DESC, cause

-- name: slice_items
-- Open failures of a job that can be sent again as they are. Marks are those that an item had last; `warm` is the
-- lifetime of its innermost entry where that surely lives: last touched after $since_5m or $since_1h.
SELECT f.item_id, f.class_id, c.name AS class_name, f.model, c.prefix_chars, c.prefix_tokens, i.payload_bytes,
       i.max_tokens, coalesce(i.depths[-1], i.payload_bytes) AS chars, o.output_tokens,
       m.marks, m.split_chars, m.entry_id, w.cache_ttl AS warm,
       coalesce(list_sum(list_transform(m.marks, lambda block: i.overheads[block + 1])), 0)::BIGINT AS mark_bytes,
       coalesce(i.depths[m.marks[-1]] + m.split_chars, i.depths[m.marks[-1] + 1], 0) AS cached_chars
FROM open_failure f
JOIN item i USING (item_id)
JOIN class c ON c.class_id = f.class_id
LEFT JOIN (
    SELECT class_id, avg(output_tokens) AS output_tokens FROM attempt WHERE outcome = 'succeeded' GROUP BY class_id
) o ON o.class_id = f.class_id
LEFT JOIN (
    SELECT item_id, arg_max(marks, number) AS marks, arg_max({'chars': split_chars}, number).chars AS split_chars,
           arg_max(entry_id, number) AS entry_id
    FROM attempt WHERE len(marks) > 0 GROUP BY item_id
) m ON m.item_id = f.item_id
LEFT JOIN (
    SELECT a.entry_id, max(coalesce(j.cache_ttl, '1h')) AS cache_ttl
    FROM attempt a JOIN job j USING (job_id)
    WHERE (a.cache_write_5m_tokens > 0 OR a.cache_write_1h_tokens > 0 OR a.cache_read_tokens > 0)
      AND j.submitted_at >= CASE WHEN j.cache_ttl = '5m' THEN $since_5m ELSE $since_1h END
    GROUP BY a.entry_id
) w ON w.entry_id = m.entry_id
WHERE f.job_id = $job_id AND f.action = 'resubmit' AND i.payload_offset IS NOT NULL
ORDER BY f.item_id

-- name: repairs_of
-- The repair jobs of a job, newest first.
SELECT job_id, item_count, state FROM job WHERE parent_job_id = $job_id AND role = 'repair'
ORDER BY created_at DESC, job_id

-- name: repairable_jobs
-- Jobs with failures that can be sent again as they are, oldest first.
SELECT job_id FROM job_status WHERE repairable_items > 0 ORDER BY created_at, job_id
