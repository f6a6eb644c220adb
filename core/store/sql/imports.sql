-- name: imports
-- Every import, newest first.
SELECT * FROM import_file ORDER BY started_at DESC, import_id
