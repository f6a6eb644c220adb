-- Contract prices, re-pricing, and what has no known price.

-- name: contract_prices
-- Every row that was ever added, with the last day on which it holds now.
SELECT p.* EXCLUDE (last_day), p.last_day AS agreed_last_day, coalesce(e.last_day, p.last_day) AS last_day,
       e.ended_at, e.ended_by
FROM contract_price p
LEFT JOIN (
    -- Each end is earlier than the one before it, whatever the clock said.
    SELECT number, min(last_day) AS last_day, arg_min(ended_at, last_day) AS ended_at,
           arg_min(ended_by, last_day) AS ended_by
    FROM contract_price_end GROUP BY number
) e USING (number)
ORDER BY p.number

-- name: add_contract_price
-- One more row; its number is the next one.
INSERT INTO contract_price
SELECT (SELECT coalesce(max(number), 0) + 1 FROM contract_price), $model, $listed, $discount, $input, $output,
       $cache_write_5m, $cache_write_1h, $cache_read, $web_search, $first_day, $last_day, $source, $remark, $now, $by
RETURNING number

-- name: end_contract_price
-- The last day of a row is another one from now on.
INSERT INTO contract_price_end VALUES ($number, $last_day, $now, $by)

-- name: cells_to_price
-- The cells of attempts that are billed, or of those alone that have no known cost.
SELECT job_id, model, submitted_at, billed, unpriced, attempts, service_tier, inference_geo, above_tokens,
       input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, web_searches
FROM cost_cell
WHERE billed AND (unpriced > 0 OR NOT $only_unpriced)

-- name: open_jobs_to_price
-- Jobs that nothing came back of yet, as cells of the tokens that their class used before on their model, or of as many
-- in as out where it is new: what they are predicted to cost changes in that proportion.
SELECT j.job_id, j.model, coalesce(j.submitted_at, j.send_at, j.created_at) AS submitted_at, true AS billed,
       0 AS unpriced, j.item_count::BIGINT AS attempts, NULL::VARCHAR AS service_tier, NULL::VARCHAR AS inference_geo,
       0 AS above_tokens, coalesce(c.input, 1) AS input_tokens, coalesce(c.write_5m, 0) AS cache_write_5m_tokens,
       coalesce(c.write_1h, 0) AS cache_write_1h_tokens, coalesce(c.read, 0) AS cache_read_tokens,
       coalesce(c.output, 1) AS output_tokens, coalesce(c.searches, 0) AS web_searches
FROM job j
LEFT JOIN (
    SELECT class_id, model, sum(input_tokens)::BIGINT AS input, sum(cache_write_5m_tokens)::BIGINT AS write_5m,
           sum(cache_write_1h_tokens)::BIGINT AS write_1h, sum(cache_read_tokens)::BIGINT AS read,
           sum(output_tokens)::BIGINT AS output, sum(web_searches)::BIGINT AS searches
    FROM cost_cell WHERE billed AND unpriced = 0 GROUP BY class_id, model
) c USING (class_id, model)
WHERE j.predicted_usd IS NOT NULL AND j.job_id NOT IN (SELECT job_id FROM cost_cell)

-- name: scale_predictions
-- What was said of the cost of the incoming jobs, at other prices.
UPDATE prediction
SET point = point * incoming.factor, low = low * incoming.factor, high = high * incoming.factor
FROM incoming WHERE prediction.job_id = incoming.job_id AND measure = 'cost'

-- name: scale_jobs
-- The same of the jobs themselves.
UPDATE job
SET predicted_usd = (predicted_usd * incoming.factor)::DECIMAL(18, 9),
    predicted_plain_usd = (predicted_plain_usd * incoming.factor)::DECIMAL(18, 9)
FROM incoming WHERE job.job_id = incoming.job_id AND predicted_usd IS NOT NULL

-- name: attempts_to_price
-- All that decides about the cost of the finished attempts of some jobs, or of those alone that have no known cost;
-- `place` holds within one transaction.
SELECT rowid AS place, job_id, item_id, usable, model, submitted_at AS at, outcome, stop_reason, refusal_category, input_tokens,
       cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, web_searches, service_tier,
       inference_geo, cost_usd AS cost_before
FROM attempt
WHERE outcome IS NOT NULL AND (cost_usd IS NULL OR NOT $only_unpriced)
  AND job_id IN (SELECT unnest($job_ids::VARCHAR[]))

-- name: put_costs
-- What attempts cost at other prices.
UPDATE attempt SET cost_usd = incoming.cost_usd FROM incoming WHERE attempt.rowid = incoming.place

-- name: put_unsettled_costs
-- The same of those that are not settled.
UPDATE unsettled SET cost_usd = incoming.cost_usd FROM incoming
WHERE unsettled.job_id = incoming.job_id AND unsettled.item_id = incoming.item_id

-- name: unpriced_cells
-- Finished attempts without a known cost, by model and what is known of their bill.
SELECT model, billed, submitted_at, day, sum(unpriced)::BIGINT AS attempts, list(DISTINCT job_id) AS job_ids
FROM cost_cell WHERE unpriced > 0
GROUP BY model, billed, submitted_at, day

-- name: bad_counts
-- The attempts of some jobs whose usage cannot be: which count is negative or missing.
SELECT job_id, item_id, model, input_tokens, output_tokens,
       cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, web_searches
FROM attempt
WHERE cost_usd IS NULL AND outcome = 'succeeded' AND job_id IN (SELECT unnest($job_ids::VARCHAR[]))
  AND (input_tokens IS NULL OR output_tokens IS NULL
       OR least(input_tokens, output_tokens, coalesce(cache_write_5m_tokens, 0), coalesce(cache_write_1h_tokens, 0),
                coalesce(cache_read_tokens, 0), coalesce(web_searches, 0)) < 0)
ORDER BY submitted_at DESC, job_id, item_id LIMIT $limit

-- name: put_unsplit_writes
-- How many results of a job did not split their cache writes.
INSERT INTO unsplit_write VALUES ($job_id, $attempts, $tokens)
ON CONFLICT DO UPDATE SET attempts = excluded.attempts, tokens = excluded.tokens

-- name: unsplit_writes
-- The same over all jobs.
SELECT count(*) AS jobs, coalesce(sum(attempts), 0)::BIGINT AS attempts, coalesce(sum(tokens), 0)::BIGINT AS tokens
FROM unsplit_write
