-- Metadata-only: whether texts came into the store before, and which files with texts nobody needs any more.

-- name: discretion
-- Whether this workspace was made metadata-only.
SELECT EXISTS (SELECT 1 FROM discretion) AS kept

-- name: begin_discretion
-- From here on this workspace is metadata-only.
INSERT INTO discretion DEFAULT VALUES

-- name: texts_held
-- Whether anything that prompts, outputs or the API said is in the store.
SELECT EXISTS (SELECT 1 FROM class WHERE preview <> '') OR EXISTS (SELECT 1 FROM prefix_node WHERE excerpt <> '')
    OR EXISTS (SELECT 1 FROM attempt WHERE message IS NOT NULL AND outcome = 'errored') AS held

-- name: payloads_needed
-- Imports of which some item is not complete yet: it may have to be sent again; and of what open trials send and copy.
SELECT import_id FROM item WHERE waits AND trial_id IS NULL
UNION
SELECT import_id FROM item WHERE trial_id IS NULL AND item_id IN (SELECT item_id FROM unsettled WHERE NOT repaired)
UNION
SELECT i.import_id FROM item i JOIN attempt a USING (item_id) WHERE i.trial_id IS NOT NULL AND a.outcome IS NULL
UNION
SELECT i.import_id FROM item i JOIN trial t USING (trial_id) WHERE t.closed_at IS NULL
UNION
SELECT i.import_id FROM item i JOIN trial_item s USING (item_id) JOIN trial t ON t.trial_id = s.trial_id
WHERE t.closed_at IS NULL

-- name: forget_payloads
-- The parameters of complete items of other imports are no longer kept.
UPDATE item SET payload_offset = NULL
WHERE payload_offset IS NOT NULL AND NOT list_contains($needed::VARCHAR[], import_id)
RETURNING import_id

-- name: results_delivered
-- Jobs of which every result has gone to every sink, where there is one; those of account history go to none. Not
-- those whose answers an open trial may still grade.
SELECT job_id FROM (
    SELECT job_id FROM completion
    GROUP BY job_id HAVING max(seq) <= (SELECT min(delivered_seq) FROM sink)
    UNION ALL
    SELECT job_id FROM job
    WHERE role = 'history'
       OR (state = 'done' AND EXISTS (SELECT 1 FROM sink) AND job_id NOT IN (SELECT job_id FROM completion))
)
WHERE job_id NOT IN (SELECT j.job_id FROM job j JOIN trial t USING (trial_id) WHERE t.closed_at IS NULL)
  AND job_id NOT IN (SELECT a.job_id FROM attempt a JOIN trial_item USING (item_id) JOIN trial t USING (trial_id)
                     WHERE t.closed_at IS NULL)
