-- name: read_results
-- The rows of a raw results file, typed; on a connection of its own that may read files.
SELECT custom_id,
       result.type AS outcome,
       result.message.model AS answered_by,
       result.message.stop_reason AS stop_reason,
       result.message.stop_details.category AS refusal_category,
       result.error.error.type AS error_type,
       -- No part of the documented form: read as JSON, so that whatever else it may be breaks nothing.
       result.error.error.details ->> '$.error_code' AS error_code,
       result.error.error.message AS message,
       result.error.request_id AS request_id,
       u.input_tokens,
       -- Without the split by lifetime a write is priced as a five-minute one.
       coalesce(u.cache_creation.ephemeral_5m_input_tokens,
                u.cache_creation_input_tokens - coalesce(u.cache_creation.ephemeral_1h_input_tokens, 0))
           AS cache_write_5m_tokens,
       u.cache_creation.ephemeral_1h_input_tokens AS cache_write_1h_tokens,
       coalesce(u.cache_creation_input_tokens > 0
                AND u.cache_creation.ephemeral_5m_input_tokens IS NULL
                AND u.cache_creation.ephemeral_1h_input_tokens IS NULL, false) AS unsplit_write,
       u.cache_read_input_tokens AS cache_read_tokens,
       u.output_tokens,
       u.server_tool_use.web_search_requests AS web_searches,
       u.service_tier, u.inference_geo
FROM (
    SELECT *, result.message.usage AS u
    FROM read_json($path, format = 'newline_delimited', maximum_object_size = 67108864, columns = {
        custom_id: 'VARCHAR',
        result: 'STRUCT(
            "type" VARCHAR,
            error STRUCT(
                error STRUCT("type" VARCHAR, message VARCHAR, details JSON),
                request_id VARCHAR),
            message STRUCT(
                model VARCHAR,
                stop_reason VARCHAR,
                stop_details STRUCT(category VARCHAR),
                usage STRUCT(
                    input_tokens BIGINT, cache_creation_input_tokens BIGINT, cache_read_input_tokens BIGINT,
                    cache_creation STRUCT(ephemeral_5m_input_tokens BIGINT, ephemeral_1h_input_tokens BIGINT),
                    output_tokens BIGINT, server_tool_use STRUCT(web_search_requests BIGINT),
                    service_tier VARCHAR, inference_geo VARCHAR)))'
    })
)

-- name: job_attempts
-- What a job sent: the ids that its results must name, each once.
SELECT custom_id, item_id, class_id, model FROM attempt WHERE job_id = $job_id

-- name: outdate_results
-- Results of content that its owner corrected since are paid for, but answer another question.
UPDATE attempt SET usable = false, cause = 'corrected', action = 'resubmit'
WHERE job_id = $job_id AND usable
  AND EXISTS (SELECT 1 FROM former_item f
              WHERE f.item_id = attempt.item_id AND attempt.number BETWEEN f.first_attempt AND f.last_attempt)

-- name: put_results
-- The outcome of each attempt of a job; doing it again changes nothing.
MERGE INTO attempt USING incoming
ON attempt.job_id = $job_id AND attempt.custom_id = incoming.custom_id
WHEN MATCHED THEN UPDATE SET
    outcome = incoming.outcome, usable = incoming.usable, cause = incoming.cause, action = incoming.action,
    message = incoming.message, stop_reason = incoming.stop_reason, refusal_category = incoming.refusal_category,
    input_tokens = incoming.input_tokens, cache_write_5m_tokens = incoming.cache_write_5m_tokens,
    cache_write_1h_tokens = incoming.cache_write_1h_tokens, cache_read_tokens = incoming.cache_read_tokens,
    output_tokens = incoming.output_tokens, web_searches = incoming.web_searches,
    service_tier = incoming.service_tier, inference_geo = incoming.inference_geo,
    cost_usd = incoming.cost_usd, submitted_at = incoming.submitted_at
