-- name: close_interrupted_imports
-- Imports that a process left unfinished: what is in stays in, the rest comes with the next try.
UPDATE import_file SET finished_at = started_at, note = 'Interrupted. Import it again: nothing goes in twice.'
WHERE finished_at IS NULL
