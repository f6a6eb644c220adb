-- Shared definitions: a figure that two places show is defined here once.

-- name: item_status
-- Where each item stands: backlog, in flight, complete (a usable result exists), set aside (given up) or failed.
-- Copies that trials sent are no work.
CREATE OR REPLACE VIEW item_status AS
SELECT i.item_id, i.class_id, i.model, i.import_id, i.line, i.payload_bytes, i.max_tokens, i.created_at,
       coalesce(a.attempts, 0) AS attempts,
       a.cost_usd,
       CASE WHEN a.attempts IS NULL THEN 'backlog'
            WHEN a.usable THEN 'complete'
            WHEN a.open THEN 'in flight'
            WHEN s.item_id IS NOT NULL THEN 'set aside'
            ELSE 'failed' END AS status
FROM item i
LEFT JOIN (
    SELECT item_id, count(*) AS attempts, sum(cost_usd) AS cost_usd,
           coalesce(bool_or(usable), false) AS usable, bool_or(outcome IS NULL) AS open, max(number) AS last
    FROM attempt GROUP BY item_id
) a USING (item_id)
LEFT JOIN set_aside s ON s.item_id = i.item_id AND s.number = a.last
WHERE i.trial_id IS NULL;

-- name: failed_attempt
-- Every attempt that gave nothing usable, and what became of its item since: repaired (complete), set aside, in repair
-- (tried again) or open. `open_cause`: why it waits; its owner may have imported other content for it since, so that it
-- can be sent again.
-- Not those of the account's history: of them only the results are known, so nothing can be done about them here. Nor
-- those of trials: to them a failure is an answer.
CREATE OR REPLACE VIEW failed_attempt AS
SELECT a.*,
       CASE WHEN t.usable THEN 'repaired'
            WHEN s.item_id IS NOT NULL THEN 'set aside'
            WHEN a.number < t.last THEN 'in repair'
            ELSE 'open' END AS fate,
       CASE WHEN f.item_id IS NULL THEN a.cause ELSE 'corrected' END AS open_cause
FROM attempt a
JOIN (
    SELECT item_id, max(number) AS last, coalesce(bool_or(usable), false) AS usable
    FROM attempt WHERE item_id IN (SELECT item_id FROM attempt WHERE outcome IS NOT NULL AND NOT usable)
    GROUP BY item_id
) t USING (item_id)
LEFT JOIN set_aside s ON s.item_id = a.item_id AND s.number = t.last
LEFT JOIN former_item f ON f.item_id = a.item_id AND a.number BETWEEN f.first_attempt AND f.last_attempt
WHERE a.outcome IS NOT NULL AND NOT a.usable
  AND a.job_id NOT IN (SELECT job_id FROM job WHERE role = 'history' OR trial_id IS NOT NULL);

-- name: open_failure
-- Failed attempts whose item has neither completed nor been tried again nor been given up: what is left to repair.
CREATE OR REPLACE VIEW open_failure AS
SELECT * EXCLUDE (fate, open_cause)
       REPLACE (open_cause AS cause, CASE WHEN open_cause = 'corrected' THEN 'resubmit' ELSE action END AS action)
FROM failed_attempt WHERE fate = 'open';

-- name: attempt_path
-- The cache entries on each attempt's way, outermost first: the hash at every mark, the last one as it was planned.
CREATE OR REPLACE VIEW attempt_path AS
SELECT a.job_id, a.item_id, a.class_id, a.marks, a.split_chars,
       CASE WHEN a.entry_id IS NULL THEN []
            ELSE list_append(list_transform(a.marks[1:len(a.marks) - 1],
                                            lambda block: format('{:016x}', coalesce(f.chain, i.chain)[block + 1])),
                             a.entry_id)
       END AS entries
FROM attempt a
JOIN item i USING (item_id)
LEFT JOIN former_item f ON f.item_id = a.item_id AND a.number BETWEEN f.first_attempt AND f.last_attempt;

-- name: job_expected
-- Every job with what it will cost as it is now: without marks left, what was predicted without caching.
CREATE OR REPLACE VIEW job_expected AS
SELECT *, CASE WHEN cache_ttl IS NULL THEN coalesce(predicted_plain_usd, predicted_usd) ELSE predicted_usd END
    AS expected_usd
FROM job;

-- name: job_status
-- Every job with what its attempts cost and what is left to repair; a job with open failures is never done.
-- `unresolved_items`: failed here and not complete yet, wherever they were tried since.
CREATE OR REPLACE VIEW job_status AS
SELECT j.*, c.name AS class_name,
       coalesce(a.usable_items, 0) AS usable_items,
       coalesce(a.failed_items, 0) AS failed_items,
       coalesce(f.open_failures, 0) AS open_failures,
       coalesce(f.repairable_items, 0) AS repairable_items,
       coalesce(f.unresolved_items, 0) AS unresolved_items,
       coalesce(f.set_aside_items, 0) AS set_aside_items,
       a.cost_usd, a.input_tokens, a.cache_write_tokens, a.cache_read_tokens, a.output_tokens,
       a.cost_usd / nullif(a.usable_items, 0) AS unit_cost_usd,
       a.cache_read_tokens / nullif(a.cache_read_tokens + a.cache_write_tokens, 0) AS hit_rate,
       j.predicted_read_tokens / nullif(j.predicted_read_tokens + j.predicted_write_tokens, 0) AS predicted_hit_rate
FROM job j
LEFT JOIN class c USING (class_id)
LEFT JOIN (
    SELECT job_id,
           count(*) FILTER (usable) AS usable_items,
           count(*) FILTER (NOT usable) AS failed_items,
           sum(cost_usd) AS cost_usd,
           sum(input_tokens) AS input_tokens,
           sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)) AS cache_write_tokens,
           sum(cache_read_tokens) AS cache_read_tokens,
           sum(output_tokens) AS output_tokens
    FROM attempt GROUP BY job_id
) a USING (job_id)
LEFT JOIN (
    SELECT job_id,
           count(*) FILTER (fate = 'open') AS open_failures,
           count(*) FILTER (fate = 'open' AND (open_cause = 'corrected' OR action = 'resubmit')) AS repairable_items,
           count(*) FILTER (fate IN ('open', 'in repair')) AS unresolved_items,
           count(*) FILTER (fate = 'set aside') AS set_aside_items
    FROM failed_attempt GROUP BY job_id
) f USING (job_id);

-- name: unit_cost_day
-- Cost, usable items and tokens of work by day, class and model; cost per unit is cost / units wherever it is shown.
CREATE OR REPLACE VIEW unit_cost_day AS
SELECT (a.submitted_at AT TIME ZONE 'UTC')::DATE AS day, a.class_id, c.name AS class_name, a.model,
       count(*) AS attempts,
       count(*) FILTER (a.usable) AS units,
       count(*) FILTER (NOT a.usable) AS failures,
       count(*) FILTER (a.number > 1) AS reruns,
       sum(a.cost_usd) AS cost_usd,
       sum(a.cost_usd) FILTER (NOT a.usable) AS wasted_usd,
       sum(a.input_tokens) AS input_tokens,
       sum(coalesce(a.cache_write_5m_tokens, 0) + coalesce(a.cache_write_1h_tokens, 0)) AS cache_write_tokens,
       sum(a.cache_read_tokens) AS cache_read_tokens,
       sum(a.output_tokens) AS output_tokens
FROM attempt a
LEFT JOIN class c USING (class_id)
WHERE a.outcome IS NOT NULL AND a.job_id NOT IN (SELECT job_id FROM job WHERE trial_id IS NOT NULL)
GROUP BY ALL;

-- name: late_twin
-- Usable results of items that were complete already: recorded, never handed over. What others sent is no twin.
CREATE OR REPLACE VIEW late_twin AS
SELECT a.* FROM attempt a JOIN completion d USING (item_id) JOIN job j ON j.job_id = a.job_id
WHERE a.usable AND a.job_id <> d.job_id AND j.role <> 'history';

-- name: job_fault
-- Faults of finished jobs by class: items that failed billed and unbilled, and whether the class's part of the job was
-- void: nine of ten of its items, and no fewer than five, failed for one cause that neither waiting nor sending again
-- would mend. Not of repairs: what they send has failed before. Nor of trials, whose failures nobody repairs.
CREATE OR REPLACE VIEW job_fault AS
SELECT f.job_id, f.class_id, f.model, j.submitted_at, sum(f.items)::BIGINT AS items,
       coalesce(sum(f.items) FILTER (f.outcome = 'succeeded' AND NOT f.usable), 0)::BIGINT AS billed_faults,
       coalesce(sum(f.items) FILTER (f.outcome <> 'succeeded'), 0)::BIGINT AS unbilled_faults,
       coalesce(max(f.items) FILTER (NOT f.usable AND f.action IN ('hold', 'edit', 'decide'))
                >= greatest(0.9 * sum(f.items), 5), false) AS voided
FROM (SELECT job_id, class_id, model, outcome, usable, cause, action, count(*) AS items
      FROM attempt WHERE outcome IN ('succeeded', 'errored', 'expired') GROUP BY ALL) f
JOIN job j USING (job_id)
WHERE j.role NOT IN ('repair', 'twin') AND j.trial_id IS NULL AND j.submitted_at IS NOT NULL
GROUP BY f.job_id, f.class_id, f.model, j.submitted_at;

-- name: prediction_met
-- The ledger of what came: every prediction of a job that ran to its end as it was planned.
CREATE OR REPLACE VIEW prediction_met AS
SELECT p.*, j.plan_id, j.class_id, c.name AS class_name, j.model, j.role, j.submitted_at, j.ended_at AS known_at,
       CASE p.measure WHEN 'cost' THEN a.cost_usd::DOUBLE
                      WHEN 'seconds' THEN epoch(j.ended_at - j.submitted_at)
                      WHEN 'hit_rate' THEN a.hit_rate END AS actual
FROM prediction p
JOIN job j USING (job_id)
LEFT JOIN class c USING (class_id)
JOIN (
    SELECT job_id, CASE WHEN count(cost_usd) = count(*) THEN sum(cost_usd) END AS cost_usd,
           sum(cache_read_tokens) / nullif(sum(coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0)
                                               + coalesce(cache_write_1h_tokens, 0)), 0) AS hit_rate
    FROM attempt WHERE job_id IN (SELECT job_id FROM prediction) GROUP BY job_id
) a USING (job_id)
WHERE j.state = 'done' AND j.ended_at IS NOT NULL AND j.canceled = 0 AND j.item_count = p.items
  AND actual IS NOT NULL AND (actual > 0 OR p.measure = 'hit_rate');

-- name: recurring_run_status
-- Every run of a recurring schedule with how far its jobs are; `ready_at`: when the last of their results were stored.
CREATE OR REPLACE VIEW recurring_run_status AS
SELECT r.*, coalesce(j.under_way, 0) AS under_way, coalesce(j.succeeded, 0)::BIGINT AS succeeded,
       CASE WHEN j.under_way = 0 THEN j.ingested_at END AS ready_at
FROM recurring_run r
LEFT JOIN (
    SELECT plan_id, count(*) FILTER (state NOT IN ('done', 'gone', 'failed', 'canceled')) AS under_way,
           sum(succeeded) AS succeeded, max(ingested_at) AS ingested_at
    FROM job WHERE plan_id IS NOT NULL GROUP BY plan_id
) j USING (plan_id);
