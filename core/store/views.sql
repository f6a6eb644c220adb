-- Shared definitions: a figure that two places show is defined here once.

-- name: item_status
-- Where each item stands: backlog, in flight, complete (a usable result exists), set aside (given up) or failed.
-- Copies that trials sent are no work. What waits alone is read by `item.waits`, which is quicker.
CREATE OR REPLACE VIEW item_status AS
SELECT i.rowid AS place, i.item_id, i.class_id, i.model, i.import_id, i.line, i.payload_bytes, i.max_tokens, i.created_at,
       CASE WHEN i.waits THEN 'backlog'
            WHEN u.item_id IS NULL THEN 'complete'
            WHEN u.open THEN 'in flight'
            WHEN s.item_id IS NOT NULL THEN 'set aside'
            ELSE 'failed' END AS status
FROM item i
LEFT JOIN (
    SELECT item_id, bool_or(outcome IS NULL) AS open, max(number) AS last
    FROM unsettled WHERE NOT repaired GROUP BY item_id
) u ON u.item_id = i.item_id
LEFT JOIN set_aside s ON s.item_id = u.item_id AND s.number = u.last
WHERE i.trial_id IS NULL;

-- name: failed_attempt
-- Every attempt that gave nothing usable, and what became of its item since: repaired (complete), set aside, in repair
-- (tried again) or open. `open_cause`: why it waits; its owner may have imported other content for it since, so that it
-- can be sent again.
-- Not those of the account's history: of them only the results are known, so nothing can be done about them here. Nor
-- those of trials: to them a failure is an answer.
CREATE OR REPLACE VIEW failed_attempt AS
SELECT a.*,
       CASE WHEN a.repaired THEN 'repaired'
            WHEN s.item_id IS NOT NULL THEN 'set aside'
            WHEN a.number < t.last THEN 'in repair'
            ELSE 'open' END AS fate,
       CASE WHEN f.item_id IS NULL THEN a.cause ELSE 'corrected' END AS open_cause
FROM unsettled a
LEFT JOIN (SELECT item_id, max(number) AS last FROM unsettled WHERE NOT repaired GROUP BY item_id) t USING (item_id)
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
           coalesce(sum(attempts) FILTER (usable), 0)::BIGINT AS usable_items,
           coalesce(sum(attempts) FILTER (NOT usable), 0)::BIGINT AS failed_items,
           sum(cost_usd) AS cost_usd,
           sum(input_tokens) AS input_tokens,
           sum(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_write_tokens,
           sum(cache_read_tokens) AS cache_read_tokens,
           sum(output_tokens) AS output_tokens
    FROM cost_cell GROUP BY job_id
) a USING (job_id)
LEFT JOIN (
    SELECT job_id,
           count(*) FILTER (fate = 'open') AS open_failures,
           count(*) FILTER (fate = 'open' AND (open_cause = 'corrected' OR action = 'resubmit')) AS repairable_items,
           count(*) FILTER (fate IN ('open', 'in repair')) AS unresolved_items,
           count(*) FILTER (fate = 'set aside') AS set_aside_items
    FROM failed_attempt GROUP BY job_id
) f USING (job_id);

-- name: work_cell
-- The cost cells of work, without those of trials, and the units that they give: usable attempts, their output tokens
-- or what was counted in them, as their class's owner chose. `uncounted`: usable attempts whose units are not known.
-- Cost per unit is cost / units wherever it is shown, of classes with one unit only.
CREATE OR REPLACE VIEW work_cell AS
SELECT a.*, c.name AS class_name, j.role, j.parent_job_id,
       CASE WHEN a.usable IS NOT TRUE THEN 0
            WHEN u.kind IS NULL THEN a.attempts
            WHEN u.kind = 'output_tokens' THEN a.output_tokens
            ELSE a.counted_units END AS units,
       coalesce(u.noun, 'usable item') AS unit,
       CASE WHEN a.usable AND NOT a.counted AND u.kind <> 'output_tokens' THEN a.attempts ELSE 0 END AS uncounted
FROM cost_cell a
LEFT JOIN job j ON j.job_id = a.job_id
LEFT JOIN class c ON c.class_id = a.class_id
LEFT JOIN class_unit u ON u.class_name = c.name
WHERE j.trial_id IS NULL;

-- name: unit_cost_day
-- Cost, units and tokens of work by day, class and model.
CREATE OR REPLACE VIEW unit_cost_day AS
SELECT day, class_id, class_name, model,
       sum(attempts)::BIGINT AS attempts,
       sum(units)::BIGINT AS units,
       coalesce(sum(attempts) FILTER (NOT usable), 0)::BIGINT AS failures,
       coalesce(sum(attempts) FILTER (rerun), 0)::BIGINT AS reruns,
       sum(cost_usd) AS cost_usd,
       sum(cost_usd) FILTER (NOT usable) AS wasted_usd,
       sum(input_tokens) AS input_tokens,
       sum(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_write_tokens,
       sum(cache_read_tokens) AS cache_read_tokens,
       sum(output_tokens) AS output_tokens
FROM work_cell
GROUP BY ALL;

-- name: job_due
-- Every job of work that was sent, by when its results had to be there, and whether they were; null while it runs. Its
-- run or plan states it, a repair has the time of the job that it repairs. Else it is the time that nine of ten were
-- predicted to take, else the 24 hours of the service. Primers are left out: the jobs behind them wait for them.
CREATE OR REPLACE VIEW job_due AS
WITH RECURSIVE origin AS (
    SELECT job_id, plan_id FROM job WHERE parent_job_id IS NULL
    UNION ALL
    SELECT j.job_id, o.plan_id FROM job j JOIN origin o ON j.parent_job_id = o.job_id
), needed AS (
    SELECT o.job_id, min(coalesce(r.needed_by, p.deadline)) AS stated_at
    FROM origin o
    LEFT JOIN plan p ON p.plan_id = o.plan_id
    LEFT JOIN recurring_run r ON r.plan_id = o.plan_id
    GROUP BY o.job_id
)
SELECT j.job_id, (j.submitted_at AT TIME ZONE 'UTC')::DATE AS day, j.submitted_at, j.ended_at,
       CASE WHEN n.stated_at IS NOT NULL THEN 'stated' WHEN p.high IS NOT NULL THEN 'predicted' ELSE 'service' END AS basis,
       coalesce(n.stated_at, j.submitted_at + to_seconds(coalesce(p.high, 86400))) AS due_at,
       CASE WHEN n.stated_at IS NOT NULL THEN coalesce(j.ingested_at, j.ended_at) ELSE j.ended_at END <= due_at AS in_time
FROM job j
LEFT JOIN needed n ON n.job_id = j.job_id
LEFT JOIN prediction p ON p.job_id = j.job_id AND p.measure = 'seconds'
WHERE j.submitted_at IS NOT NULL AND j.trial_id IS NULL AND j.role <> 'primer';

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
FROM (SELECT job_id, class_id, model, outcome, usable, cause, action, sum(attempts) AS items
      FROM cost_cell WHERE outcome IN ('succeeded', 'errored', 'expired') GROUP BY ALL) f
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
    SELECT job_id, CASE WHEN sum(unpriced) = 0 THEN sum(cost_usd) END AS cost_usd,
           sum(cache_read_tokens)
               / nullif(sum(cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens), 0) AS hit_rate
    FROM cost_cell WHERE job_id IN (SELECT job_id FROM prediction) GROUP BY job_id
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
