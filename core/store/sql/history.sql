-- The account's past batches: what was found, what came in, and how its classes are named.

-- name: accounted_batches
-- Every batch that is known: that of a job (`ours` where a job of this workspace sent it), or seen by a look.
SELECT coalesce(j.batch_id, h.batch_id) AS batch_id, coalesce(j.role <> 'history', false) AS ours, h.standing
FROM (SELECT batch_id, role FROM job WHERE batch_id IS NOT NULL) j
FULL JOIN history_batch h ON h.batch_id = j.batch_id

-- name: put_history_batches
-- Batches as a look found them; a row of one that is known already takes its new standing.
INSERT INTO history_batch BY NAME SELECT * FROM incoming
ON CONFLICT (batch_id) DO UPDATE SET standing = excluded.standing, ended_at = excluded.ended_at,
    processing = excluded.processing, succeeded = excluded.succeeded, errored = excluded.errored,
    canceled = excluded.canceled, expired = excluded.expired, reason = excluded.reason

-- name: history_seen
-- Every batch that a look found, as it is stored.
SELECT * FROM history_batch

-- name: stand_history_batch
-- A batch of which the API tells no more than this.
UPDATE history_batch SET standing = $standing, reason = $reason WHERE batch_id = $batch_id

-- name: forget_history_batch
-- A job of this workspace turned out to have this batch: it is no history.
DELETE FROM history_batch WHERE batch_id = $batch_id

-- name: history_in
-- Batches of one standing, oldest first: so the attempts of an item come in about the order of time.
SELECT batch_id FROM history_batch WHERE standing = $standing ORDER BY created_at, batch_id

-- name: history_batches
-- Batches that a look found, newest first, with the cost of what came in; `batches` counts all there are.
SELECT h.*, j.class_name, j.model, j.usable_items, j.cost_usd, count(*) OVER () AS batches
FROM history_batch h LEFT JOIN job_status j ON j.job_id = h.batch_id
ORDER BY h.created_at DESC, h.batch_id
LIMIT $limit

-- name: history_standings
-- How many batches and items stand where.
SELECT standing, count(*) AS batches, sum(items)::BIGINT AS items FROM history_batch GROUP BY standing

-- name: history_cost
-- One row: what everything that came in cost, and how many items have no known price.
SELECT sum(cost_usd) AS cost_usd, coalesce(sum(unpriced), 0)::BIGINT AS unpriced
FROM cost_cell WHERE job_id IN (SELECT job_id FROM job WHERE role = 'history')

-- name: batch_costs
-- What every batch cost whose results are here, and how many of its attempts have no known price.
SELECT j.batch_id, sum(a.cost_usd) AS cost_usd, sum(a.unpriced)::BIGINT AS unpriced
FROM job j JOIN cost_cell a USING (job_id)
WHERE j.batch_id IS NOT NULL
GROUP BY j.batch_id

-- name: owner_of_batch
-- The job of this workspace that has a batch.
SELECT job_id FROM job WHERE batch_id = $batch_id

-- name: job_tags
-- The tags of all jobs that were sent from here: a custom_id that begins with one is theirs.
SELECT job_id FROM job WHERE role <> 'history'

-- name: add_history_jobs
-- The job that an imported batch becomes.
INSERT INTO job BY NAME SELECT * FROM incoming

-- name: add_history_attempts
-- What became of each item of an imported batch.
INSERT INTO attempt BY NAME SELECT * RENAME (custom_id AS sent_as) FROM incoming

-- name: history_attempts
-- Every item of the imported batches, as the naming rules see it, and how it is named now.
SELECT a.job_id AS batch_id, a.custom_id, a.model, a.item_id AS old_item_id, a.class_id AS old_class_id
FROM attempt a JOIN job j USING (job_id)
WHERE j.role = 'history'
ORDER BY a.submitted_at, a.job_id, a.custom_id

-- name: rename_history
-- The class and the item of each incoming attempt; what was counted in it by the unit of another class is not known.
MERGE INTO attempt USING incoming
ON attempt.job_id = incoming.batch_id AND attempt.custom_id = incoming.custom_id
WHEN MATCHED THEN UPDATE SET class_id = incoming.class_id, item_id = incoming.item_id,
    counted_units = CASE WHEN attempt.class_id = incoming.class_id THEN attempt.counted_units END

-- name: number_history
-- Attempts of one item are counted by time, whichever batch came in first; incoming: the items to count.
UPDATE attempt SET number = n.number
FROM (
    SELECT job_id, custom_id,
           row_number() OVER (PARTITION BY item_id ORDER BY submitted_at, job_id, custom_id)::INTEGER AS number
    FROM attempt WHERE item_id IN (SELECT item_id FROM incoming)
) n
WHERE attempt.job_id = n.job_id AND attempt.custom_id = n.custom_id AND attempt.number <> n.number

-- name: put_history_classes
-- Classes that rules name; incoming: class_id, name, model. Cacheable is what was seen in the cache.
INSERT INTO class (class_id, name, model, prefix_blocks, prefix_chars, prefix_tokens, cacheable, preview, created_at,
                   inferred)
SELECT n.class_id, any_value(n.name), any_value(n.model), 0, 0, 0,
       coalesce(bool_or(a.cache_write_5m_tokens > 0 OR a.cache_write_1h_tokens > 0 OR a.cache_read_tokens > 0), false),
       '', min(a.submitted_at), true
FROM incoming n JOIN attempt a USING (class_id)
GROUP BY n.class_id
ON CONFLICT (class_id) DO UPDATE SET cacheable = excluded.cacheable, created_at = excluded.created_at

-- name: drop_unnamed_classes
-- Classes that no rule names any more.
DELETE FROM class WHERE inferred AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.class_id = class.class_id)

-- name: class_history_jobs
-- The class of an imported batch where all of it is in one.
UPDATE job SET class_id = c.class_id
FROM (
    SELECT job_id, CASE WHEN count(DISTINCT class_id) = 1 THEN min(class_id) END AS class_id
    FROM attempt WHERE job_id IN (SELECT job_id FROM job WHERE role = 'history') GROUP BY job_id
) c
WHERE c.job_id = job.job_id AND job.class_id IS DISTINCT FROM c.class_id
