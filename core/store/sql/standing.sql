-- Where items stand, kept by core/store/standing.py: `item.waits`, and the attempts that are not settled.

-- name: settle
-- Unsettled attempts of some jobs as they are now. A first attempt at an item repairs nothing, and nothing repairs it
-- yet; what was known to be repaired stays so, also where it moves to another job.
MERGE INTO unsettled USING (
    SELECT a.job_id, a.item_id, a.number, a.outcome, a.usable, a.cause, a.action, a.cost_usd, i.depths[-1] AS chars,
           a.item_id IN (SELECT item_id FROM unsettled WHERE repaired) AS repaired
    FROM attempt a LEFT JOIN item i ON i.item_id = a.item_id AND i.waits
    WHERE a.job_id IN (SELECT unnest($job_ids::VARCHAR[]))
) a
ON unsettled.job_id = a.job_id AND unsettled.item_id = a.item_id
WHEN MATCHED AND a.usable THEN DELETE
WHEN MATCHED THEN UPDATE SET number = a.number, outcome = a.outcome, usable = a.usable, cause = a.cause,
                             action = a.action, cost_usd = a.cost_usd
WHEN NOT MATCHED AND a.usable IS NOT TRUE
THEN INSERT (job_id, item_id, number, outcome, usable, cause, action, cost_usd, chars, repaired)
    VALUES (a.job_id, a.item_id, a.number, a.outcome, a.usable, a.cause, a.action, a.cost_usd, a.chars, a.repaired)
WHEN NOT MATCHED BY SOURCE AND list_contains($job_ids::VARCHAR[], unsettled.job_id) THEN DELETE

-- name: learn_prompts
-- What the results of these jobs tell of the tokens of prompts, of which the characters are known; once only.
INSERT INTO prompt_evidence
SELECT job_id, class_id, model, entry_id, cached, coalesce(web_searches > 0, false) AS searched, count(*),
       count(*) FILTER (cache_write_5m_tokens > 0 OR cache_write_1h_tokens > 0), sum(input_tokens + cached), sum(chars)
FROM (
    SELECT a.*, u.chars, coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
                         + coalesce(a.cache_write_1h_tokens, 0) AS cached
    FROM attempt a JOIN unsettled u ON u.job_id = a.job_id AND u.item_id = a.item_id
    WHERE a.job_id IN (SELECT unnest($job_ids::VARCHAR[])) AND u.outcome IS NULL
)
WHERE input_tokens IS NOT NULL
GROUP BY job_id, class_id, model, entry_id, cached, searched, chars IS NULL

-- name: forget_prompts
-- Unlearn what these jobs told of prompts.
DELETE FROM prompt_evidence WHERE job_id IN (SELECT unnest($job_ids::VARCHAR[]))

-- name: learn_past_prompts
-- The same of jobs whose results came at once; what was corrected since had another text then.
INSERT INTO prompt_evidence
SELECT job_id, class_id, model, entry_id, cached, coalesce(web_searches > 0, false) AS searched, count(*),
       count(*) FILTER (cache_write_5m_tokens > 0 OR cache_write_1h_tokens > 0), sum(input_tokens + cached), sum(chars)
FROM (
    SELECT a.*, i.depths[-1] AS chars, coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
                                       + coalesce(a.cache_write_1h_tokens, 0) AS cached
    FROM attempt a JOIN item i ON i.item_id = a.item_id
    WHERE a.job_id IN (SELECT unnest($job_ids::VARCHAR[]))
      AND NOT EXISTS (SELECT 1 FROM former_item f WHERE f.item_id = a.item_id AND f.last_attempt >= a.number)
)
WHERE input_tokens IS NOT NULL
GROUP BY job_id, class_id, model, entry_id, cached, searched, chars IS NULL

-- name: drop_unsettled
-- Forget the unsettled attempts of some jobs, or of all where $job_ids is null.
DELETE FROM unsettled WHERE $job_ids::VARCHAR[] IS NULL OR job_id IN (SELECT unnest($job_ids::VARCHAR[]))

-- name: add_unsettled
-- The unsettled attempts of some jobs, or of all where $job_ids is null, whatever was known of their items.
INSERT INTO unsettled
SELECT a.job_id, a.item_id, a.number, a.outcome, a.usable, a.cause, a.action, a.cost_usd, i.depths[-1] AS chars,
       a.item_id IN (SELECT item_id FROM attempt WHERE usable) AS repaired
FROM attempt a LEFT JOIN item i ON i.item_id = a.item_id
WHERE a.usable IS NOT TRUE AND ($job_ids::VARCHAR[] IS NULL OR a.job_id IN (SELECT unnest($job_ids::VARCHAR[])))

-- name: mark_repaired
-- Unsettled attempts at items of which these jobs brought a usable result.
UPDATE unsettled SET repaired = true
WHERE NOT repaired
  AND item_id IN (SELECT item_id FROM attempt WHERE usable AND job_id IN (SELECT unnest($job_ids::VARCHAR[])))

-- name: doubtful_items
-- Items of these jobs that came to nothing here, and have or had a usable result: rare, and looked at again.
SELECT DISTINCT a.item_id
FROM attempt a LEFT JOIN unsettled u ON u.job_id = a.job_id AND u.item_id = a.item_id
WHERE a.job_id IN (SELECT unnest($job_ids::VARCHAR[])) AND NOT a.usable
  AND (u.item_id IS NULL OR a.item_id IN (SELECT item_id FROM unsettled WHERE repaired))

-- name: look_again
-- Whether any attempt at these items is usable.
UPDATE unsettled SET repaired = item_id IN (SELECT item_id FROM attempt WHERE usable)
WHERE item_id IN (SELECT unnest($item_ids::VARCHAR[]))

-- name: mark_attempted
-- The items of these jobs wait no more.
UPDATE item SET waits = false
WHERE waits AND item_id IN (SELECT item_id FROM attempt WHERE job_id IN (SELECT unnest($job_ids::VARCHAR[])))

-- name: mark_waiting
-- Items that no attempt names any more wait.
UPDATE item SET waits = true WHERE NOT waits AND item_id NOT IN (SELECT item_id FROM attempt)

-- name: twin_given
-- The second batch that a statement records.
SELECT $twin_id::VARCHAR AS job_id

-- name: jobs_of_move
-- The jobs between which a statement moves items.
SELECT unnest([$from_job_id::VARCHAR, $to_job_id::VARCHAR]) AS job_id

-- name: let_prompts_go
-- Of prompts that came before $before and are answered only the length is kept, of at most so many at once, oldest
-- first. Not of the newest of each class, by which it is known again and other terms are priced, nor of what primed: it
-- says which entries are warm. What others answered on the account may come to wait again, so it stays as well.
UPDATE item SET chain = [], heads = [], overheads = [], depths = depths[-1:]
WHERE rowid IN (
    SELECT rowid FROM item
    WHERE len(chain) > 0 AND NOT waits AND class_id IS NOT NULL AND created_at < $before
      AND rowid NOT IN (SELECT unnest(max_by(rowid, created_at, $newest::BIGINT)) FROM item
                        WHERE len(chain) > 0 AND NOT waits AND class_id IS NOT NULL
                        GROUP BY class_id, trial_id IS NULL, payload_offset IS NULL)
      AND item_id IN (SELECT item_id FROM completion)
      AND item_id NOT IN (SELECT item_id FROM unsettled WHERE NOT repaired OR outcome IS NULL)
      AND item_id NOT IN (SELECT item_id FROM attempt WHERE job_id IN (SELECT job_id FROM job WHERE role = 'primer'))
    ORDER BY created_at LIMIT $most
)
