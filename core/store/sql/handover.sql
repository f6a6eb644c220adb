-- name: record_completions
-- The items of a job that are complete now and were not before, numbered on; the first usable result is the one.
INSERT INTO completion
WITH done AS MATERIALIZED (  -- of these items alone: all that are complete are many
    SELECT item_id FROM completion
    WHERE item_id IN (SELECT item_id FROM attempt WHERE job_id = $job_id AND usable)
)
SELECT (SELECT coalesce(max(seq), 0) FROM completion) + row_number() OVER (ORDER BY a.item_id),
       a.item_id, a.job_id, c.name, $now
FROM attempt a
LEFT JOIN class c ON c.class_id = a.class_id
WHERE a.job_id = $job_id AND a.usable AND (SELECT trial_id IS NULL FROM job WHERE job_id = $job_id)
  AND a.item_id NOT IN (SELECT item_id FROM done)

-- name: completed_item
-- Which item has this number.
SELECT item_id FROM completion WHERE seq = $seq

-- name: completed_jobs
-- The jobs whose results are handed over, with how many of them.
SELECT job_id, count(*) AS items FROM completion GROUP BY job_id ORDER BY job_id

-- name: handover_rows
-- The next results to hand over, within a number of rows and of estimated bytes; one at least, if there is one.
SELECT * EXCLUDE (size_until) FROM (
    SELECT d.seq, d.item_id, a.custom_id, d.job_id, j.batch_id, d.class_name, a.model, d.completed_at, a.stop_reason,
           a.input_tokens, a.cache_write_5m_tokens, a.cache_write_1h_tokens, a.cache_read_tokens, a.output_tokens,
           a.cost_usd, j.simulated,
           -- A token is about four bytes of text, kept twice (text and message) behind some two thousand of frame.
           sum(2000 + 8 * coalesce(a.output_tokens, 0)) OVER (ORDER BY d.seq) AS size_until
    FROM completion d
    JOIN attempt a ON a.job_id = d.job_id AND a.item_id = d.item_id
    JOIN job j ON j.job_id = d.job_id
    WHERE d.seq > $after AND d.seq <= $after + $rows
)
WHERE size_until <= $bytes OR seq = $after + 1
ORDER BY seq

-- name: handover_counts
-- How many items are complete, and how many results came for items that were complete already.
-- What others sent is no twin, and no answer to a trial is handed over.
SELECT complete, (SELECT coalesce(sum(attempts), 0)::BIGINT FROM work_cell WHERE usable AND role <> 'history') - complete
           AS late_twins
FROM (SELECT count(*) AS complete FROM completion)

-- name: sinks
-- Every sink with what lies there and what waits.
SELECT target, kind, created_at, delivered_seq AS delivered,
       greatest((SELECT coalesce(max(seq), 0) FROM completion) - delivered_seq, 0) AS waiting, delivered_at, trouble
FROM sink ORDER BY created_at, target

-- name: add_sink
-- A sink starts with the first result of all; adding it again changes nothing.
INSERT INTO sink (target, kind, created_at, delivered_seq) VALUES ($target, $kind, $now, 0)
ON CONFLICT (target) DO NOTHING

-- name: remove_sink
-- Nothing more is handed over there; what lies there stays.
DELETE FROM sink WHERE list_contains($targets, target) RETURNING target

-- name: advance_sink
-- Everything up to here lies there for good.
UPDATE sink SET delivered_seq = $seq, delivered_at = $now, trouble = NULL WHERE target = $target

-- name: set_sink_trouble
-- Why a sink does not get on, or that it does.
UPDATE sink SET trouble = $trouble WHERE target = $target

-- name: make_part
-- The rows to hand over with what the model said, out of raw results files; on a connection that may read files.
-- A result whose raw file is no longer kept has neither message nor text.
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT due.*,
       CASE WHEN m.message IS NOT NULL THEN array_to_string(list_transform(list_filter(
           json_transform(m.message -> '$.content', '[{"type": "VARCHAR", "text": "VARCHAR"}]'),
           lambda block: block."type" = 'text'), lambda block: block.text), '') END AS text,
       m.message
FROM due
LEFT JOIN (
    SELECT custom_id, result.message AS message
    FROM read_json($files, format = 'newline_delimited', maximum_object_size = 67108864,
                   columns = {custom_id: 'VARCHAR', result: 'STRUCT(message JSON)'})
    SEMI JOIN due USING (custom_id)
) m USING (custom_id)

-- name: write_parquet
-- The part as a Parquet file.
COPY (SELECT * REPLACE (message::VARCHAR AS message) FROM incoming ORDER BY seq)
TO $to (FORMAT parquet, COMPRESSION zstd)

-- name: write_json_lines
-- The part as JSON Lines: money as text with every digit, because JSON numbers would round it.
COPY (
    SELECT * REPLACE (cost_usd::VARCHAR AS cost_usd,
                      strftime(completed_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') AS completed_at)
    FROM incoming ORDER BY seq
) TO $to (FORMAT json)

-- name: attach_target
-- Open the DuckDB file of a sink beside the part.
ATTACH $path AS target

-- name: make_target_mark
-- How far each table of the sink's file is: written with the rows, so the two never differ.
CREATE TABLE IF NOT EXISTS target.lotwise_handover (table_name VARCHAR PRIMARY KEY, seq BIGINT, item_id VARCHAR)

-- name: target_mark
-- How far a table of the sink's file is.
SELECT seq, item_id FROM target.lotwise_handover WHERE table_name = $table_name

-- name: set_target_mark
-- The table holds everything up to the end of the part.
INSERT OR REPLACE INTO target.lotwise_handover
SELECT $table_name, seq, item_id FROM incoming ORDER BY seq DESC LIMIT 1

-- name: make_target_table
-- The table of a DuckDB sink; `handed_over` stands for the name that its owner chose.
CREATE TABLE IF NOT EXISTS target.handed_over (
    seq BIGINT NOT NULL, item_id VARCHAR PRIMARY KEY, custom_id VARCHAR, job_id VARCHAR, batch_id VARCHAR,
    class_name VARCHAR, model VARCHAR, completed_at TIMESTAMPTZ, stop_reason VARCHAR,
    input_tokens BIGINT, cache_write_5m_tokens BIGINT, cache_write_1h_tokens BIGINT, cache_read_tokens BIGINT,
    output_tokens BIGINT, cost_usd DECIMAL(24, 12), simulated BOOLEAN, text VARCHAR, message JSON
)

-- name: upsert_target
-- The rows of the part, by item; `handed_over` stands for the name that its owner chose.
INSERT OR REPLACE INTO target.handed_over BY NAME SELECT * FROM incoming ORDER BY seq
