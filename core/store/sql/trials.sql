-- Trials: what they ask, what came back, how it was labelled, and what they cost.

-- name: trials
-- Every trial (or one), newest first, with whom it asks.
SELECT t.* EXCLUDE (closed_at), t.closed_at, coalesce(c.name, t.class_id) AS class_name, e.entrants,
       (SELECT count(*) FROM trial_item s WHERE s.trial_id = t.trial_id) AS sample,
       (SELECT count(*) FROM trial_round r WHERE r.trial_id = t.trial_id) AS rounds
FROM trial t
JOIN (SELECT trial_id, list({'number': number, 'part': part, 'model': model, 'changes': changes::VARCHAR}
                            ORDER BY number) AS entrants
      FROM trial_candidate GROUP BY trial_id) e USING (trial_id)
LEFT JOIN class c USING (class_id)
WHERE $trial_id::VARCHAR IS NULL OR t.trial_id = $trial_id
ORDER BY t.created_at DESC, t.trial_id

-- name: open_trials
-- Trials that go on.
SELECT trial_id FROM trial WHERE closed_at IS NULL ORDER BY created_at, trial_id

-- name: earlier_trials
-- How many earlier trials there were of the models of this one, for the same class by all its ids.
SELECT mine.model, count(*) AS trials
FROM trial t
JOIN trial_candidate mine ON mine.trial_id = t.trial_id AND mine.part = 'candidate'
JOIN trial e ON list_contains($class_ids::VARCHAR[], e.class_id) AND (e.created_at, e.trial_id) < (t.created_at, t.trial_id)
JOIN trial_candidate theirs ON theirs.trial_id = e.trial_id AND theirs.part = 'candidate' AND theirs.model = mine.model
WHERE t.trial_id = $trial_id
GROUP BY mine.model

-- name: class_population
-- The items of a class of which a copy can be made, with what a sample is spread over.
SELECT i.item_id, i.import_id, i.depths[-1] AS chars,
       i.waits
FROM item i
WHERE i.class_id = $class_id AND i.trial_id IS NULL AND i.payload_offset IS NOT NULL
ORDER BY i.item_id

-- name: class_on_trial
-- The classes of work that a person means by an id or a name, with their models.
SELECT class_id, name, model FROM class
WHERE (class_id = $text OR name = $text)
  AND EXISTS (SELECT 1 FROM item i WHERE i.class_id = class.class_id AND i.trial_id IS NULL)
ORDER BY class_id <> $text, class_id

-- name: item_payloads
-- Where the parameters of these items lie as their owners sent them: a route adapts those, so what it sends today, and
-- would send of another model, is made of them too.
SELECT i.item_id, i.import_id, coalesce(r.payload_offset, i.payload_offset) AS payload_offset,
       coalesce(r.payload_bytes, i.payload_bytes) AS payload_bytes
FROM item i
LEFT JOIN routed_item r USING (item_id)
WHERE i.item_id IN (SELECT unnest($item_ids::VARCHAR[])) AND i.payload_offset IS NOT NULL
ORDER BY i.import_id, payload_offset

-- name: trial_items
-- The sample of a trial in the order in which it is used.
SELECT position, item_id, stratum FROM trial_item WHERE trial_id = $trial_id ORDER BY position

-- name: trial_attempts
-- Everything that a trial asked: the first answer to each of its items, else the attempt that is open, else the last
-- one; how often it was tried, and what all of that cost.
SELECT i.item_id, a.job_id, a.custom_id, max(a.number) OVER (PARTITION BY i.item_id) AS number, a.outcome, a.usable,
       a.cause, a.message, sum(a.cost_usd) OVER (PARTITION BY i.item_id) AS cost_usd
FROM item i JOIN attempt a USING (item_id)
WHERE i.trial_id = $trial_id
QUALIFY row_number() OVER (
    PARTITION BY i.item_id
    ORDER BY coalesce(a.outcome = 'succeeded', false) DESC, a.outcome IS NULL DESC,
             CASE WHEN a.outcome = 'succeeded' THEN a.number ELSE -a.number END, a.job_id) = 1
ORDER BY i.item_id

-- name: model_answers
-- The first answer that a model gave to each of these items as it is now; copies and the account's history left out.
SELECT a.item_id, a.job_id, a.custom_id, a.number, a.outcome, a.usable, a.cause, a.message, a.cost_usd
FROM attempt a
JOIN job j USING (job_id)
WHERE a.item_id IN (SELECT unnest($item_ids::VARCHAR[])) AND a.model = $model AND a.outcome = 'succeeded'
  AND j.role <> 'history' AND coalesce(a.cause, '') <> 'corrected'
  AND NOT EXISTS (SELECT 1 FROM former_item f
                  WHERE f.item_id = a.item_id AND a.number BETWEEN f.first_attempt AND f.last_attempt)
QUALIFY row_number() OVER (PARTITION BY a.item_id ORDER BY a.number, a.job_id) = 1
ORDER BY a.item_id

-- name: trial_spending
-- One row: what a trial cost so far, what its jobs that are not over are predicted to cost, how many of them there are,
-- and how many of those a person holds up.
SELECT (SELECT coalesce(sum(a.cost_usd), 0) FROM cost_cell a JOIN job j USING (job_id) WHERE j.trial_id = $trial_id)
           AS spent_usd,
       coalesce(sum(expected_usd), 0) AS committed_usd, count(*) AS under_way,
       count(*) FILTER (state = 'held') AS held
FROM job_expected
WHERE trial_id = $trial_id AND NOT list_contains($over::VARCHAR[], state)

-- name: answer_lengths
-- The answers of each class so far, their mean length and the longest of them.
SELECT class_id, avg(output_tokens) AS output_tokens, count(output_tokens) AS answers, max(output_tokens) AS longest
FROM attempt WHERE outcome = 'succeeded' GROUP BY class_id

-- name: trial_canaries
-- Bodies of a trial that are held since their primer came to nothing; not those that the account did not take.
SELECT job_id FROM job
WHERE trial_id = $trial_id AND state = 'held' AND primer_job_id IS NOT NULL AND intent_at IS NULL
ORDER BY job_id

-- name: trial_jobs
-- The jobs of a trial that are not in one of these states.
SELECT job_id FROM job WHERE trial_id = $trial_id AND NOT list_contains($over::VARCHAR[], state) ORDER BY job_id

-- name: trial_labels
-- Every label of a trial, in the order in which they came.
SELECT candidate, position, labeller, correct, reference, note, lost, labelled_at
FROM label WHERE trial_id = $trial_id
ORDER BY labelled_at, position, candidate, labeller

-- name: add_trial
-- A trial begins.
INSERT INTO trial BY NAME
SELECT $trial_id AS trial_id, $class_id AS class_id, $reference_model AS reference_model, $grader AS grader, $needs AS needs,
       $rate AS rate, $margin AS margin, $error AS error, $budget_usd AS budget_usd, $seed AS seed,
       $cascade AS cascade, $now AS created_at, $by AS created_by, 'running' AS state

-- name: add_trial_candidates
-- Whom a trial asks.
INSERT INTO trial_candidate BY NAME SELECT * FROM incoming

-- name: add_trial_items
-- The sample of a trial.
INSERT INTO trial_item BY NAME SELECT * FROM incoming

-- name: claim_round
-- The next round of a trial that goes on and was seen with so many rounds; returns its number, no row where somebody
-- was faster.
INSERT INTO trial_round
SELECT t.trial_id, $rounds + 1, $plan_id, $items, $predicted_usd, $now
FROM trial t
WHERE t.trial_id = $trial_id AND t.closed_at IS NULL
  AND $rounds = (SELECT count(*) FROM trial_round r WHERE r.trial_id = t.trial_id)
RETURNING number

-- name: add_trial_classes
-- Classes that only copies are in; one that is known stays as it is.
INSERT INTO class BY NAME SELECT * FROM incoming ON CONFLICT DO NOTHING

-- name: set_trial_state
-- How a trial that goes on stands, and why.
UPDATE trial SET state = $state, reason = $reason, closed_at = $closed_at
WHERE trial_id = $trial_id AND closed_at IS NULL
RETURNING trial_id

-- name: put_labels
-- Labels; one that a labeller gave before is replaced.
MERGE INTO label USING incoming
ON label.trial_id = incoming.trial_id AND label.candidate = incoming.candidate
    AND label.position = incoming.position AND label.labeller = incoming.labeller
WHEN MATCHED THEN UPDATE SET correct = incoming.correct, reference = incoming.reference, note = incoming.note,
                             lost = incoming.lost, labelled_at = incoming.labelled_at
WHEN NOT MATCHED THEN INSERT BY NAME

-- name: drop_label
-- A label that its labeller takes back.
DELETE FROM label
WHERE trial_id = $trial_id AND candidate = $candidate AND position = $position AND labeller = $by
RETURNING position
