-- name: slice_causes
-- The open failures of a job by cause, with those whose parameters are still kept, and when the last of them was tried.
WITH slice AS MATERIALIZED (
    SELECT item_id, cause, action, cost_usd FROM open_failure WHERE job_id = $job_id
), gone AS (
    SELECT i.item_id FROM item i JOIN slice USING (item_id) WHERE i.payload_offset IS NULL  -- few, and quickly found
)
SELECT f.cause, f.action, count(*)::BIGINT AS items, count(*) FILTER (g.item_id IS NULL)::BIGINT AS kept,
       sum(f.cost_usd) AS cost_usd, max(coalesce(j.ended_at, j.created_at)) AS failed_at
FROM slice f
JOIN job j ON j.job_id = $job_id
LEFT JOIN gone g USING (item_id)
GROUP BY f.cause, f.action
ORDER BY items DESC, f.cause

-- name: shared_message
-- The commonest message of a job's invalid requests, with how many of its finished items came back with it.
SELECT message, count(*)::BIGINT AS items,
       (SELECT count(*) FROM attempt WHERE job_id = $job_id AND outcome IS NOT NULL) AS finished
FROM attempt
WHERE job_id = $job_id AND cause = 'invalid_request_error' AND message IS NOT NULL
GROUP BY message ORDER BY items DESC, message LIMIT 1

-- name: slice_items
-- Open failures of a job whose parameters are kept, but for those that need an edit and had none. Class, model and
-- parameters are those of now; marks are those that an item had last, none where it was corrected since. `warm` is the
-- lifetime of its innermost entry where that surely lives: last touched after $since_5m or $since_1h.
WITH slice AS MATERIALIZED (
    SELECT item_id, cause FROM open_failure WHERE job_id = $job_id AND action <> 'edit'
), sliced AS MATERIALIZED (
    SELECT i.*, f.cause FROM item i JOIN slice f USING (item_id) WHERE i.payload_offset IS NOT NULL
), latest AS (
    -- Enough jobs of each class to know its outputs by.
    SELECT job_id, class_id FROM cost_cell
    WHERE outcome = 'succeeded' AND class_id IN (SELECT class_id FROM sliced)
    GROUP BY job_id, class_id
    QUALIFY row_number() OVER (PARTITION BY class_id ORDER BY max(submitted_at) DESC, job_id) <= 20
), sent AS (
    SELECT a.class_id, avg(a.output_tokens) AS output_tokens, count(*) AS results,
           quantile_cont(a.output_tokens, 0.1) AS low_tokens, quantile_cont(a.output_tokens, 0.9) AS high_tokens
    FROM attempt a JOIN latest l ON l.job_id = a.job_id AND l.class_id = a.class_id
    WHERE a.outcome = 'succeeded' GROUP BY a.class_id
), marked AS (
    SELECT item_id, arg_max(marks, number) AS marks, arg_max({'chars': split_chars}, number).chars AS split_chars,
           arg_max(entry_id, number) AS entry_id
    FROM attempt
    WHERE job_id IN (SELECT job_id FROM unsettled WHERE item_id IN (SELECT item_id FROM slice))
      AND item_id IN (SELECT item_id FROM slice) AND len(marks) > 0
    GROUP BY item_id
), warm AS (
    SELECT e.entry_id, max(coalesce(j.cache_ttl, '1h')) AS cache_ttl, epoch_us(max(j.submitted_at)) AS touched_us
    FROM prompt_evidence e JOIN job j USING (job_id)
    WHERE e.cached_tokens > 0 AND j.submitted_at >= CASE WHEN j.cache_ttl = '5m' THEN $since_5m ELSE $since_1h END
    GROUP BY e.entry_id
)
SELECT i.item_id, i.cause, i.class_id, c.name AS class_name, i.model, c.prefix_chars,
       c.prefix_tokens, i.payload_bytes, i.max_tokens, coalesce(i.depths[-1], i.payload_bytes) AS chars,
       o.output_tokens, o.low_tokens, o.high_tokens, coalesce(o.results, 0) AS results,
       m.marks, m.split_chars, m.entry_id, w.cache_ttl AS warm, w.touched_us,
       coalesce(list_sum(list_transform(m.marks, lambda block: i.overheads[block + 1])), 0)::BIGINT AS mark_bytes,
       coalesce(i.depths[m.marks[-1]] + m.split_chars, i.depths[m.marks[-1] + 1], 0) AS cached_chars
FROM sliced i
JOIN class c ON c.class_id = i.class_id
LEFT JOIN sent o ON o.class_id = i.class_id
LEFT JOIN marked m ON m.item_id = i.item_id AND i.cause <> 'corrected'
LEFT JOIN warm w ON w.entry_id = m.entry_id
ORDER BY i.item_id

-- name: repairs_of
-- The repair jobs of a job that carry items which failed there of one of the causes (empty = any), newest first.
SELECT r.job_id, r.item_count, r.state
FROM job r
WHERE r.parent_job_id = $job_id AND r.role = 'repair'
  AND (len($causes::VARCHAR[]) = 0
       OR EXISTS (SELECT 1 FROM attempt again JOIN failed_attempt failed USING (item_id)
                  WHERE again.job_id = r.job_id AND failed.job_id = $job_id
                    AND list_contains($causes::VARCHAR[], failed.open_cause)))
ORDER BY r.created_at DESC, r.job_id

-- name: failed_jobs
-- Jobs with open failures, oldest first.
SELECT job_id FROM job_status WHERE open_failures > 0 ORDER BY created_at, job_id

-- name: set_aside_items
-- Give up the open failures of a job of these causes.
INSERT INTO set_aside BY NAME
SELECT item_id, number, $now::TIMESTAMPTZ AS set_aside_at, $by AS set_aside_by
FROM open_failure WHERE job_id = $job_id AND list_contains($causes::VARCHAR[], cause)
RETURNING item_id

-- name: take_back_items
-- Ask again for what was given up of a job's failures of these causes.
DELETE FROM set_aside USING failed_attempt a
WHERE a.item_id = set_aside.item_id AND a.number = set_aside.number
  AND a.job_id = $job_id AND list_contains($causes::VARCHAR[], a.open_cause)
RETURNING set_aside.item_id

-- name: set_aside_causes
-- What was given up of a job, by cause, with who did it last and when.
SELECT a.open_cause AS cause, count(*)::BIGINT AS items, arg_max(s.set_aside_by, s.set_aside_at) AS set_aside_by,
       max(s.set_aside_at) AS set_aside_at
FROM failed_attempt a
JOIN set_aside s ON s.item_id = a.item_id AND s.number = a.number
WHERE a.job_id = $job_id AND a.fate = 'set aside'
GROUP BY a.open_cause ORDER BY items DESC, cause

-- name: item_chain
-- Every attempt of an item, first to last: its job, what became of it, what it cost, and which content was sent.
SELECT a.number, a.job_id, j.role, j.state, j.batch_id, a.custom_id, a.model, a.submitted_at, a.outcome, a.usable,
       a.cause, CASE WHEN a.usable THEN NULL ELSE a.action END AS action, a.message, a.stop_reason, a.cost_usd,
       f.source, coalesce(former.line, i.line) AS line, former.item_id IS NOT NULL AS corrected_since,
       coalesce(former.import_id, i.import_id) AS import_id,
       CASE WHEN former.item_id IS NULL THEN i.payload_offset ELSE former.payload_offset END AS payload_offset,
       coalesce(former.payload_bytes, i.payload_bytes) AS payload_bytes, s.set_aside_at, s.set_aside_by
FROM attempt a
JOIN job j USING (job_id)
JOIN item i USING (item_id)
LEFT JOIN former_item former
    ON former.item_id = a.item_id AND a.number BETWEEN former.first_attempt AND former.last_attempt
LEFT JOIN import_file f ON f.import_id = coalesce(former.import_id, i.import_id)
LEFT JOIN set_aside s ON s.item_id = a.item_id AND s.number = a.number
WHERE a.item_id = $item_id
ORDER BY a.number, j.created_at

-- name: item_standing
-- Where one item stands, and where its content as it is now came from.
SELECT s.item_id, s.status, s.class_id, c.name AS class_name, s.model, f.source, s.line, a.attempts, a.cost_usd
FROM item_status s
CROSS JOIN (SELECT count(*) AS attempts, sum(cost_usd) AS cost_usd FROM attempt WHERE item_id = $item_id) a
LEFT JOIN class c USING (class_id)
LEFT JOIN import_file f ON f.import_id = s.import_id
WHERE s.item_id = $item_id
