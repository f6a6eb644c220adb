-- name: routes
-- Every route, newest first; $applied: only those that no other took the place of and nobody withdrew.
SELECT * FROM route WHERE NOT $applied OR withdrawn_at IS NULL ORDER BY applied_at DESC, route_id

-- name: add_route
-- A class's work goes to another model from here on.
INSERT INTO route (route_id, class_id, from_model, model, trial_id, applied_at, applied_by)
VALUES ($route_id, $class_id, $from_model, $model, $trial_id, $now, $by)

-- name: end_route
-- The route of a class ends; returns it, no row where there was none.
UPDATE route SET withdrawn_at = $now, withdrawn_by = $by WHERE class_id = $class_id AND withdrawn_at IS NULL
RETURNING route_id

-- name: routable_items
-- What waits of a class, as its owner sent it and wherever it was routed since: where those parameters lie, and where
-- the ones that would be sent lie. With $import_id also items of that import that failed before and came in anew.
SELECT i.item_id, i.import_id, i.payload_offset AS was_offset,
       coalesce(r.payload_offset, i.payload_offset) AS payload_offset,
       coalesce(r.payload_bytes, i.payload_bytes) AS payload_bytes
FROM item i
LEFT JOIN routed_item r USING (item_id)
LEFT JOIN (SELECT item_id, bool_or(outcome IS NULL) AS open FROM unsettled WHERE NOT repaired GROUP BY item_id) u
    ON u.item_id = i.item_id
WHERE coalesce(r.class_id, i.class_id) = $class_id AND i.model <> $model
  AND i.payload_offset IS NOT NULL AND i.trial_id IS NULL
  AND (i.waits OR (i.import_id = $import_id AND r.item_id IS NULL AND NOT u.open))
ORDER BY i.import_id, payload_offset

-- name: keep_owners_requests
-- What the owners of the incoming items sent, before it is re-addressed for the first time.
INSERT INTO routed_item BY NAME
SELECT i.item_id, $route_id AS route_id, i.class_id, i.model, i.payload_offset, i.payload_bytes, i.chain, i.depths,
       i.overheads, i.heads, i.max_tokens
FROM item i
JOIN incoming n ON n.item_id = i.item_id AND n.was_offset = i.payload_offset
WHERE i.item_id NOT IN (SELECT item_id FROM routed_item)
  AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.item_id = i.item_id AND (a.outcome IS NULL OR a.usable))

-- name: take_over_items
-- Items that an earlier route sent elsewhere belong to this one.
UPDATE routed_item SET route_id = $route_id WHERE item_id IN (SELECT item_id FROM incoming)

-- name: readdress_items
-- The parameters of the incoming items as their new model is asked, unless they were sent or replaced meanwhile. What
-- never was tried keeps its class until classes are found anew; what was would not be looked at then.
UPDATE item SET model = n.model, payload_offset = n.payload_offset, payload_bytes = n.payload_bytes, chain = n.chain,
                depths = n.depths, overheads = n.overheads, heads = n.heads, max_tokens = n.max_tokens,
                class_id = CASE WHEN item.waits THEN item.class_id END
FROM incoming n
WHERE item.item_id = n.item_id AND item.payload_offset = n.was_offset
  AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.item_id = item.item_id AND (a.outcome IS NULL OR a.usable))
RETURNING item.item_id

-- name: routed_unfinished
-- Routed items of a class that wait, or all of whose attempts failed.
SELECT r.item_id, a.item_id IS NOT NULL AS failed
FROM routed_item r
JOIN item i USING (item_id)
LEFT JOIN (
    SELECT item_id, bool_or(outcome IS NULL OR coalesce(usable, false)) AS open_or_usable FROM attempt GROUP BY item_id
) a USING (item_id)
WHERE r.class_id = $class_id AND i.payload_offset IS NOT NULL AND NOT coalesce(a.open_or_usable, false)

-- name: unsent_of_route
-- Jobs in these states that carry routed items of a class and nothing else.
SELECT j.job_id
FROM job j JOIN attempt a USING (job_id)
LEFT JOIN routed_item r ON r.item_id = a.item_id AND r.class_id = $class_id
WHERE list_contains($states::VARCHAR[], j.state) AND j.trial_id IS NULL AND a.outcome IS NULL
GROUP BY j.job_id, j.created_at
HAVING bool_and(r.item_id IS NOT NULL)
ORDER BY j.created_at, j.job_id

-- name: left_over_items
-- Items of routes that ended, none of whose attempts is open or gave anything usable.
SELECT r.item_id
FROM routed_item r
JOIN route t ON t.route_id = r.route_id AND t.withdrawn_at IS NOT NULL
JOIN item i ON i.item_id = r.item_id AND i.payload_offset IS NOT NULL
JOIN attempt a ON a.item_id = r.item_id
GROUP BY r.item_id
HAVING NOT bool_or(a.outcome IS NULL OR coalesce(a.usable, false))
ORDER BY r.item_id

-- name: restore_items
-- The incoming items as their owners sent them.
UPDATE item SET model = r.model, payload_offset = r.payload_offset, payload_bytes = r.payload_bytes, chain = r.chain,
                depths = r.depths, overheads = r.overheads, heads = r.heads, max_tokens = r.max_tokens,
                class_id = r.class_id
FROM routed_item r
WHERE item.item_id = r.item_id AND item.item_id IN (SELECT item_id FROM incoming)

-- name: forget_routed_items
-- Items that are as their owners sent them.
DELETE FROM routed_item WHERE item_id IN (SELECT item_id FROM incoming)

-- name: routed_classes
-- The classes that routed items are in now, each with the classes that their owners send, the one that most of them
-- are of first; `native`: whether owners send that class too.
SELECT i.class_id, r.class_id AS home_id, count(*) AS items,
       EXISTS (SELECT 1 FROM item own ANTI JOIN routed_item USING (item_id)
               WHERE own.class_id = i.class_id AND own.trial_id IS NULL) AS native
FROM routed_item r JOIN item i USING (item_id)
WHERE i.class_id <> r.class_id
GROUP BY i.class_id, r.class_id
ORDER BY i.class_id, items DESC, home_id

-- name: others_waiting
-- What waits in some classes and is not of the class that these owners send.
SELECT i.item_id FROM item i LEFT JOIN routed_item r USING (item_id)
WHERE i.waits AND i.trial_id IS NULL AND list_contains($places::VARCHAR[], i.class_id)
  AND coalesce(r.class_id, i.class_id) <> $class_id

-- name: follow_with_schedules
-- Schedules that send a class send it wherever it is routed.
UPDATE recurring SET class_ids = list_distinct(list_concat(class_ids, routed.ids))
FROM (SELECT r.class_id AS home_id, list_distinct(list(i.class_id)) AS ids
      FROM routed_item r JOIN item i USING (item_id)
      WHERE i.class_id <> r.class_id GROUP BY r.class_id) routed
WHERE list_contains(class_ids, routed.home_id) AND NOT list_has_all(class_ids, routed.ids) AND removed_at IS NULL

-- name: follow_with_splits
-- Where a text may be sent as two, it may be for every model.
UPDATE class SET split_agreed = true
FROM (SELECT DISTINCT i.class_id FROM routed_item r JOIN item i USING (item_id) JOIN class home ON home.class_id = r.class_id
      WHERE home.split_agreed AND i.class_id <> r.class_id) routed
WHERE class.class_id = routed.class_id AND NOT class.split_agreed AND class.cut_chars > 0

-- name: class_work
-- The work of each class as its owner sends it (`home_id`) in the 30 days before $now, by the classes that it was or is
-- in, with its tokens, and how much of it waits; and each class with a route. Trials are no work.
SELECT h.class_id AS home_id, h.name AS home_name, c.class_id, c.model, c.prefix_tokens,
       coalesce(w.items, 0) AS waiting_items, coalesce(s.attempts, 0) AS attempts, coalesce(s.units, 0) AS units, s.cost_usd,
       coalesce(s.input_tokens, 0)::BIGINT AS input_tokens, coalesce(s.write_tokens, 0)::BIGINT AS write_tokens,
       coalesce(s.read_tokens, 0)::BIGINT AS read_tokens, coalesce(s.output_tokens, 0)::BIGINT AS output_tokens
FROM (
    SELECT coalesce(r.class_id, i.class_id) AS home_id, i.class_id, count(*) AS items
    FROM item i LEFT JOIN routed_item r USING (item_id)
    WHERE i.waits AND i.trial_id IS NULL GROUP BY ALL
) w
FULL JOIN (
    SELECT home_id, class_id, sum(attempts)::BIGINT AS attempts, sum(units)::BIGINT AS units,
           CASE WHEN sum(unpriced) = 0 THEN sum(cost_usd) END AS cost_usd, sum(input_tokens) AS input_tokens,
           sum(read_tokens) AS read_tokens, sum(write_tokens) AS write_tokens, sum(output_tokens) AS output_tokens
    FROM (
        SELECT class_id AS home_id, class_id, attempts, CASE WHEN usable THEN attempts ELSE 0 END AS units, cost_usd,
               unpriced, input_tokens, cache_read_tokens AS read_tokens,
               cache_write_5m_tokens + cache_write_1h_tokens AS write_tokens, output_tokens
        FROM work_cell
        WHERE submitted_at > $now::TIMESTAMPTZ - INTERVAL 30 DAY AND submitted_at <= $now
        UNION ALL
        -- What was routed is its owner's class's, and not of the class that it was sent in.
        SELECT CASE WHEN way > 0 THEN r.class_id ELSE a.class_id END, a.class_id, way,
               CASE WHEN a.usable THEN way ELSE 0 END, way * a.cost_usd,
               CASE WHEN a.cost_usd IS NULL THEN way ELSE 0 END, way * coalesce(a.input_tokens, 0),
               way * coalesce(a.cache_read_tokens, 0),
               way * (coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)),
               way * coalesce(a.output_tokens, 0)
        FROM routed_item r JOIN attempt a USING (item_id) JOIN job j ON j.job_id = a.job_id, unnest([1, -1]) AS ways (way)
        WHERE a.outcome IS NOT NULL AND j.trial_id IS NULL AND r.class_id <> a.class_id
          AND a.submitted_at > $now::TIMESTAMPTZ - INTERVAL 30 DAY AND a.submitted_at <= $now
    )
    GROUP BY home_id, class_id
    HAVING attempts > 0
) s USING (home_id, class_id)
FULL JOIN (SELECT class_id AS home_id, class_id FROM route WHERE withdrawn_at IS NULL) t USING (home_id, class_id)
JOIN class c USING (class_id)
JOIN class h ON h.class_id = home_id
ORDER BY s.cost_usd DESC NULLS LAST, waiting_items DESC, home_id, c.class_id

-- name: audit_sample
-- The answers drawn for the watch of a route, with their labels: a $share of all by a number that their ids alone
-- decide, and of every week that is over those with the smallest numbers, $least of them. Not items by which the trial
-- chose the model: it was proven on those.
WITH answered AS MATERIALIZED (
    SELECT a.item_id, min(a.submitted_at) AS submitted_at
    FROM routed_item r JOIN attempt a USING (item_id)
    WHERE r.route_id = $route_id AND a.model = $model AND a.outcome = 'succeeded' AND a.submitted_at >= $since
      AND a.item_id NOT IN (SELECT item_id FROM trial_item WHERE trial_id = $trial_id)
    GROUP BY a.item_id
), numbered AS MATERIALIZED (
    SELECT item_id, submitted_at, md5_number_lower($route_id || item_id) AS draw,
           (epoch_us(submitted_at) - epoch_us($since::TIMESTAMPTZ)) // 604800000000 AS week
    FROM answered
), least AS (
    SELECT week, min(draw, $least) AS draws FROM numbered GROUP BY week
)
SELECT d.item_id, d.submitted_at, l.item_id IS NOT NULL AS labelled, l.correct
FROM numbered d JOIN least w USING (week)
LEFT JOIN audit_label l ON l.route_id = $route_id AND l.item_id = d.item_id
WHERE d.draw < $share * 18446744073709551616::DOUBLE
   OR (d.draw <= w.draws[-1]
       AND d.week < (epoch_us($now::TIMESTAMPTZ) - epoch_us($since::TIMESTAMPTZ)) // 604800000000)
ORDER BY d.submitted_at, d.draw, d.item_id

-- name: jobs_over
-- How many jobs of work of a model gave results.
SELECT count(*) AS jobs FROM job WHERE state = 'done' AND model = $model AND trial_id IS NULL

-- name: put_audit_labels
-- Labels of the watch; who looks again corrects what was said before.
INSERT INTO audit_label BY NAME SELECT * FROM incoming
ON CONFLICT (route_id, item_id) DO UPDATE SET correct = excluded.correct, source = excluded.source,
    note = excluded.note, labelled_at = excluded.labelled_at, labelled_by = excluded.labelled_by

-- name: route_validity
-- Of the answers before and after a switch, how many are usable as they are.
SELECT count(*) FILTER (a.submitted_at < $since) AS before, count(*) FILTER (a.submitted_at < $since AND a.usable) AS before_usable,
       count(*) FILTER (a.submitted_at >= $since) AS after, count(*) FILTER (a.submitted_at >= $since AND a.usable) AS after_usable,
       max(a.submitted_at) AS last_at
FROM attempt a
LEFT JOIN routed_item r ON r.item_id = a.item_id
WHERE a.outcome = 'succeeded' AND a.job_id NOT IN (SELECT job_id FROM job WHERE trial_id IS NOT NULL)
  AND CASE WHEN a.submitted_at < $since THEN a.class_id = $class_id AND a.model = $from_model
           ELSE r.route_id = $route_id AND a.model = $model END

-- name: audit_counts
-- How many answers were told right from wrong since a switch, and how many of them are right.
SELECT count(correct) AS labels, count(*) FILTER (correct) AS correct FROM audit_label WHERE route_id = $route_id

-- name: routing_fingerprint
-- One value for all that is known of routes, trials and results: it moves with these, and with nothing else.
SELECT concat_ws('/', (SELECT count(*) FROM job WHERE ingested_at IS NOT NULL),
                 (SELECT count(*) + count(withdrawn_at) FROM route),
                 (SELECT coalesce(bit_xor(hash(trial_id, state, reason)), 0) FROM trial),
                 (SELECT concat(count(*), max(labelled_at)) FROM label),
                 (SELECT concat(count(*), max(labelled_at)) FROM audit_label)) AS fingerprint
