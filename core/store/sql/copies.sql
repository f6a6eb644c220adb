-- Content that came in under several ids, kept by core/store/copies.py: found once, at the end of its import.

-- name: add_copied_items
-- The items of imports not compared yet whose content another item has too, and those that have it. `unfinished`: also
-- of imports without an end: when the store opens, none of them is under way. Copies that trials sent are no work.
INSERT INTO copied_item
WITH fresh AS MATERIALIZED (
    SELECT DISTINCT hash(content_hash) AS content FROM item
    WHERE trial_id IS NULL AND import_id IN (
        SELECT import_id FROM import_file ANTI JOIN compared_import USING (import_id)
        WHERE finished_at IS NOT NULL OR $unfinished)
), twice AS MATERIALIZED (
    SELECT hash(content_hash) AS content FROM item
    WHERE trial_id IS NULL AND hash(content_hash) IN (SELECT content FROM fresh)
    GROUP BY content HAVING count(*) > 1
)
SELECT item_id, hash(content_hash) AS content, created_at FROM item
WHERE trial_id IS NULL AND hash(content_hash) IN (SELECT content FROM twice)
  AND item_id NOT IN (SELECT item_id FROM copied_item)
RETURNING item_id

-- name: mark_compared
-- These imports are compared.
INSERT INTO compared_import
SELECT import_id FROM import_file ANTI JOIN compared_import USING (import_id)
WHERE finished_at IS NOT NULL OR $unfinished

-- name: drop_copied_items
-- Incoming items are about to get other content.
DELETE FROM copied_item WHERE item_id IN (SELECT item_id FROM incoming)

-- name: drop_attempts_of_copies
-- What was sent of incoming items had the content that they lose.
DELETE FROM copied_attempt WHERE item_id IN (SELECT item_id FROM incoming)

-- name: drop_copied_attempts
-- The attempts of some jobs, or of all where $job_ids is null.
DELETE FROM copied_attempt WHERE $job_ids::VARCHAR[] IS NULL OR job_id IN (SELECT unnest($job_ids::VARCHAR[]))

-- name: add_copied_attempts
-- The answered attempts of some jobs, or of all where $job_ids is null, at content that came in under several ids. Not
-- those sent before an item was corrected: they asked something else. Nor what others sent: that is another item.
INSERT INTO copied_attempt
SELECT a.job_id, a.item_id, c.content, c.created_at, a.class_id, a.submitted_at, a.usable, a.cost_usd
FROM attempt a JOIN copied_item c USING (item_id)
WHERE a.outcome = 'succeeded' AND ($job_ids::VARCHAR[] IS NULL OR a.job_id IN (SELECT unnest($job_ids::VARCHAR[])))
  AND a.job_id NOT IN (SELECT job_id FROM job WHERE role = 'history')
  AND NOT EXISTS (SELECT 1 FROM former_item f WHERE f.item_id = a.item_id AND f.last_attempt >= a.number)
