-- name: audit_begin
-- Note who is about to do what, before it is done.
INSERT INTO audit (actor, role, how, action, subject, outcome, sentence)
VALUES ($actor, $role, $how, $action, $subject, $outcome, $sentence)
RETURNING number

-- name: audit_end
-- Note how that went.
UPDATE audit SET outcome = $outcome, subject = $subject, sentence = $sentence WHERE number = $number

-- name: audit_listed
-- The log, newest first; `entries` counts all that the filters let through.
SELECT number, acted_at, actor, role, how, action, subject, outcome, sentence, count(*) OVER () AS entries
FROM audit
WHERE ($actor::VARCHAR IS NULL OR actor = $actor)
  AND (len($actions::VARCHAR[]) = 0 OR list_contains($actions::VARCHAR[], action))
  AND (len($outcomes::VARCHAR[]) = 0 OR list_contains($outcomes::VARCHAR[], outcome))
  AND ($since::TIMESTAMPTZ IS NULL OR acted_at >= $since)
ORDER BY number DESC
LIMIT $limit

-- name: audit_names
-- Everybody and everything that the log names, for the filters.
SELECT list(DISTINCT actor ORDER BY actor) AS actors, list(DISTINCT action ORDER BY action) AS actions FROM audit

-- name: export_audit
-- The whole log, oldest first.
SELECT number, acted_at, actor, role, how, action, subject, outcome, sentence FROM audit ORDER BY number
