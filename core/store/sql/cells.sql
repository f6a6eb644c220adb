-- Cost cells: sums over finished attempts, kept by core/store/cells.py.

-- name: add_cells
-- The cells of some jobs, or of all where $job_ids is null. `billed` as core/prices/costs.py says it.
INSERT INTO cost_cell BY NAME
SELECT * EXCLUDE (priced) FROM (
SELECT a.job_id, a.class_id, a.model, a.submitted_at, (a.submitted_at AT TIME ZONE 'UTC')::DATE AS day,
       coalesce(t.tag_set, 0)::UINTEGER AS tag_set, a.outcome, a.usable, a.cause, a.action,
       CASE WHEN list_contains($free_outcomes::VARCHAR[], a.outcome) THEN false
            WHEN a.outcome <> 'succeeded' THEN NULL
            WHEN a.stop_reason = 'refusal'
                 AND NOT (coalesce(list_contains($billed_refusals::VARCHAR[], a.refusal_category), false)
                          AND a.submitted_at >= $billed_refusals_since)
            THEN a.output_tokens <> 0
            ELSE true END AS billed,
       a.number > 1 AS rerun, a.counted_units IS NOT NULL AS counted, a.service_tier, a.inference_geo,
       CASE WHEN a.total_input_tokens > list_min($cliffs::BIGINT[])
            THEN list_max(list_filter($cliffs::BIGINT[], lambda cliff: a.total_input_tokens > cliff))
            ELSE 0 END AS above_tokens,
       count(*) AS attempts,
       coalesce(sum(a.input_tokens), 0) AS input_tokens,
       coalesce(sum(a.cache_write_5m_tokens), 0) AS cache_write_5m_tokens,
       coalesce(sum(a.cache_write_1h_tokens), 0) AS cache_write_1h_tokens,
       coalesce(sum(a.cache_read_tokens), 0) AS cache_read_tokens,
       coalesce(sum(a.output_tokens), 0) AS output_tokens,
       coalesce(sum(a.output_tokens::DOUBLE * a.output_tokens), 0) AS output_squares,
       coalesce(sum(a.web_searches), 0) AS web_searches,
       coalesce(sum(a.counted_units), 0) AS counted_units,
       sum(a.cost_usd) AS cost_usd,
       count(*) FILTER (a.cost_usd IS NULL) AS unpriced,
       -- What has no known price never shares a cell with what has one.
       a.cost_usd IS NOT NULL AS priced
FROM (
    SELECT *, coalesce(input_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
              + coalesce(cache_read_tokens, 0) AS total_input_tokens
    FROM attempt
    WHERE outcome IS NOT NULL AND ($job_ids::VARCHAR[] IS NULL OR job_id IN (SELECT unnest($job_ids::VARCHAR[])))
) a
LEFT JOIN (SELECT item_id, tag_set FROM item WHERE tag_set > 0) t ON t.item_id = a.item_id
GROUP BY ALL
)

-- name: drop_cells
-- The cells of some jobs, or of all where $job_ids is null.
DELETE FROM cost_cell WHERE $job_ids::VARCHAR[] IS NULL OR job_id IN (SELECT unnest($job_ids::VARCHAR[]))

-- name: cell_basis
-- What the cells were made by; no row where they were never made.
SELECT digest FROM cell_basis

-- name: drop_cell_basis
-- It no longer holds.
DELETE FROM cell_basis

-- name: add_cell_basis
-- All cells are made by this now.
INSERT INTO cell_basis VALUES ($digest)

-- name: job_given
-- The job that a statement is about.
SELECT $job_id::VARCHAR AS job_id

-- name: jobs_incoming
-- The jobs of incoming attempts.
SELECT DISTINCT job_id FROM incoming

-- name: batches_incoming
-- The imported batches of incoming attempts: each is the job of its own.
SELECT DISTINCT batch_id AS job_id FROM incoming

-- name: jobs_of_items
-- All jobs in which incoming items were attempted.
SELECT DISTINCT job_id FROM attempt WHERE item_id IN (SELECT item_id FROM incoming)

-- name: jobs_to_free
-- Jobs that are over, but whose items are not yet.
SELECT DISTINCT job_id FROM attempt
WHERE outcome IS NULL AND job_id IN (SELECT job_id FROM job WHERE state = 'canceled')
