-- What caching did: the lessons for the next plan, and predicted beside actual.

-- name: primed_history
-- Primed bodies that ended, oldest first, class by class where several share one: the share of their cached tokens that
-- was read, and what was predicted.
SELECT *, read_tokens / (read_tokens + write_tokens) AS hit_rate
FROM (SELECT j.job_id, a.class_id, c.name AS class_name, a.model, j.submitted_at, sum(a.attempts)::BIGINT AS items,
             j.predicted_read_tokens / nullif(j.predicted_read_tokens + j.predicted_write_tokens, 0)
                 AS predicted_hit_rate,
             sum(a.cache_read_tokens)::DOUBLE AS read_tokens,
             sum(a.cache_write_5m_tokens + a.cache_write_1h_tokens)::DOUBLE AS write_tokens
      FROM job j
      JOIN cost_cell a USING (job_id)
      LEFT JOIN class c ON c.class_id = a.class_id
      WHERE j.role = 'body' AND j.state = 'done' AND j.primer_job_id IS NOT NULL
      GROUP BY ALL)
WHERE read_tokens + write_tokens > 0
ORDER BY submitted_at, job_id

-- name: cold_history
-- Marked bodies that no primer went before, oldest first: how many of their items wrote.
SELECT j.job_id, j.class_id, j.model, j.submitted_at, sum(e.items)::BIGINT AS items, sum(e.writers)::BIGINT AS writers
FROM job j
JOIN prompt_evidence e USING (job_id)
WHERE j.role = 'body' AND j.state = 'done' AND j.primer_job_id IS NULL AND j.class_id IS NOT NULL
  AND e.entry_id IS NOT NULL
GROUP BY ALL
ORDER BY j.submitted_at, j.job_id

-- name: primer_turnarounds
-- Seconds from sending each primer to its end. The history of a demo ran at life's speed, its server does not.
SELECT epoch(ended_at - submitted_at) AS seconds
FROM job
WHERE role = 'primer' AND state = 'done' AND ended_at IS NOT NULL AND NOT starts_with(batch_id, 'msgbatch_demo')

-- name: entries_under_floor
-- Cache entries that were marked and came back neither written nor read, whoever tried.
SELECT entry_id
FROM prompt_evidence
WHERE entry_id IS NOT NULL
GROUP BY entry_id
HAVING max(cached_tokens) = 0

-- name: class_caching
-- One class with what a consent to split its text concerns.
SELECT class_id, name, model, prefix_blocks, cut_chars, split_agreed FROM class WHERE class_id = $class_id

-- name: agree_split
-- Whether the text in which this class's prefix ends may be sent as two blocks.
UPDATE class SET split_agreed = $agreed WHERE class_id = $class_id
