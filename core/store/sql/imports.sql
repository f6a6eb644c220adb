-- name: imports
-- Every import, newest first.
SELECT * FROM import_file ORDER BY started_at DESC, import_id

-- name: start_import
-- A file begins to be read.
INSERT INTO import_file (import_id, source, started_at) VALUES ($import_id, $source, $started_at)

-- name: advance_import
-- How far a file was read, and what became of its lines so far.
UPDATE import_file
SET bytes = $bytes, lines = $lines, added = $added, known = $known, replaced = $replaced, rejected = $rejected,
    finished_at = $finished_at, note = $note
WHERE import_id = $import_id

-- name: drop_import
-- Forget an import of which nothing could be read: it will be tried again.
DELETE FROM import_file WHERE import_id = $import_id

-- name: known_items
-- Which of the incoming items are stored already, with what content and tags, and whether they were never attempted or
-- all of their attempts failed.
SELECT item_id, content_hash, coalesce(tag_set, 0) AS tag_set, waits, coalesce(NOT u.open, false) AS failed
FROM item
LEFT JOIN (SELECT item_id, bool_or(outcome IS NULL) AS open FROM unsettled WHERE NOT repaired GROUP BY item_id) u
    USING (item_id)
WHERE item_id IN (SELECT item_id FROM incoming)

-- name: keep_former_items
-- What failed items asked when they were sent, before their owner's correction takes its place; content that was
-- never sent is not kept.
INSERT INTO former_item BY NAME
SELECT i.item_id, coalesce(f.last_attempt, 0) + 1 AS first_attempt, a.last_attempt, i.content_hash, i.import_id, i.line,
       i.model, i.payload_offset, i.payload_bytes, i.chain, i.depths, $now::TIMESTAMPTZ AS replaced_at
FROM item i
JOIN (SELECT item_id, max(number) AS last_attempt FROM unsettled WHERE NOT repaired GROUP BY item_id) a USING (item_id)
LEFT JOIN (SELECT item_id, max(last_attempt) AS last_attempt FROM former_item GROUP BY item_id) f USING (item_id)
WHERE i.item_id IN (SELECT item_id FROM incoming) AND a.last_attempt > coalesce(f.last_attempt, 0)

-- name: forget_set_aside
-- Corrected items are no longer given up.
DELETE FROM set_aside WHERE item_id IN (SELECT item_id FROM incoming)

-- name: drop_items
-- Items whose place others take in the same transaction.
DELETE FROM item WHERE item_id IN (SELECT item_id FROM incoming)

-- name: add_items
-- New items; the caller has taken out those already stored. Some were attempted before: they take the place of what
-- failed.
INSERT INTO item BY NAME SELECT *, item_id NOT IN (SELECT item_id FROM unsettled) AS waits FROM incoming

-- name: add_rejects
-- Lines set aside, with the reason.
INSERT INTO reject BY NAME SELECT * FROM incoming

-- name: rejects
-- The lines of an import that were set aside.
SELECT r.import_id, f.source, r.line, r.custom_id, r.reason, r.bytes
FROM reject r JOIN import_file f USING (import_id)
WHERE r.import_id = $import_id
ORDER BY r.line

-- name: backlog_chains
-- Chains of all items never attempted, or corrected since they failed (class_id null), and of up to three sent items
-- of every class, to tell who belongs to it; and of routed ones as their owner sent them.
SELECT NULL::VARCHAR AS class_id, i.item_id, i.model, i.import_id, i.payload_offset, i.payload_bytes, i.chain, i.depths,
       i.heads
FROM item i
WHERE i.payload_offset IS NOT NULL AND i.trial_id IS NULL
  AND (i.class_id IS NULL OR i.waits)
UNION ALL
SELECT class_id, item_id, model, import_id, payload_offset, payload_bytes, chain, depths, heads
FROM (SELECT * FROM item
      WHERE class_id IS NOT NULL AND payload_offset IS NOT NULL AND trial_id IS NULL AND NOT waits AND len(chain) > 0
      QUALIFY row_number() OVER (PARTITION BY class_id ORDER BY created_at DESC, item_id) <= 3)
UNION ALL
SELECT class_id, item_id, model, import_id, payload_offset, payload_bytes, chain, depths, heads
FROM (SELECT r.*, i.import_id FROM routed_item r JOIN item i USING (item_id)
      WHERE i.payload_offset IS NOT NULL
      QUALIFY row_number() OVER (PARTITION BY r.class_id ORDER BY i.created_at DESC, item_id) <= 3)
ORDER BY class_id NULLS FIRST, import_id, payload_offset

-- name: put_classes
-- Classes by id; what the items tell anew is corrected. (What primers showed of an entry stands in their attempts.)
INSERT INTO class BY NAME SELECT * FROM incoming
ON CONFLICT (class_id) DO UPDATE SET prefix_blocks = excluded.prefix_blocks, cut_chars = excluded.cut_chars,
    prefix_chars = excluded.prefix_chars, prefix_tokens = excluded.prefix_tokens, cacheable = excluded.cacheable

-- name: forget_heads
-- What the incoming classes shared with others: it was found anew.
DELETE FROM class_head WHERE class_id IN (SELECT class_id FROM incoming)

-- name: add_heads
-- The beginnings that classes share with others.
INSERT INTO class_head BY NAME SELECT * FROM incoming

-- name: forget_prefix_nodes
-- The tree of what waited before: a new one follows.
DELETE FROM prefix_node

-- name: add_prefix_nodes
-- The tree of what waits.
INSERT INTO prefix_node BY NAME SELECT * FROM incoming

-- name: set_classes
-- The class of each incoming item.
MERGE INTO item USING incoming ON item.item_id = incoming.item_id
WHEN MATCHED AND item.class_id IS DISTINCT FROM incoming.class_id THEN UPDATE SET class_id = incoming.class_id
