-- What units are: the tags that items carry, the units of classes, and the counts read from their results.

-- name: tag_sets
-- Every set of tags that items carry.
SELECT tag_set, tags FROM tag_set

-- name: add_tag_set
-- A set of tags that was not there yet; names and texts in pairs.
INSERT INTO tag_set VALUES ($tag_set, map($names::VARCHAR[], $texts::VARCHAR[]))

-- name: set_tags
-- The tags of stored items, as their owner imported them again.
MERGE INTO item USING incoming ON item.item_id = incoming.item_id
WHEN MATCHED THEN UPDATE SET tag_set = incoming.tag_set

-- name: class_units
-- Every class name with the unit its owner chose, and how much work it has: usable attempts, those not counted, and
-- jobs whose results are still to be counted.
SELECT u.*, coalesce(w.usable_items, 0)::BIGINT AS usable_items, coalesce(w.uncounted, 0)::BIGINT AS uncounted,
       coalesce(w.recounting, 0)::BIGINT AS recounting
FROM class_unit u
LEFT JOIN (
    SELECT w.class_name, sum(w.attempts) FILTER (w.usable) AS usable_items, sum(w.uncounted) AS uncounted,
           count(DISTINCT r.job_id) AS recounting
    FROM work_cell w LEFT JOIN recount r ON r.job_id = w.job_id
    GROUP BY w.class_name
) w USING (class_name)
ORDER BY u.class_name

-- name: work_named
-- How much work the classes of a name have, whatever its unit: usable attempts and their output tokens.
SELECT coalesce(sum(attempts), 0)::BIGINT AS usable_items, coalesce(sum(output_tokens), 0)::BIGINT AS output_tokens
FROM work_cell
WHERE usable AND class_name = $class_name

-- name: put_class_unit
-- The unit of the classes of a name.
INSERT INTO class_unit VALUES ($class_name, $kind, $place, $noun)
ON CONFLICT (class_name) DO UPDATE SET kind = excluded.kind, place = excluded.place, noun = excluded.noun

-- name: drop_class_unit
-- The classes of a name are measured by usable items again.
DELETE FROM class_unit WHERE class_name = $class_name

-- name: jobs_of_class_name
-- All jobs with attempts of the classes of a name whose units were counted.
SELECT DISTINCT job_id FROM cost_cell
WHERE counted AND class_id IN (SELECT class_id FROM class WHERE name = $class_name)

-- name: forget_counts
-- What was counted of the classes of a name by another definition.
UPDATE attempt SET counted_units = NULL
WHERE counted_units IS NOT NULL AND class_id IN (SELECT class_id FROM class WHERE name = $class_name)

-- name: recount_class
-- The results of these classes are to be counted again, where they are to be counted at all.
INSERT INTO recount
SELECT DISTINCT job_id FROM cost_cell
WHERE usable AND class_id IN (SELECT class_id FROM class WHERE name = $class_name)
ON CONFLICT DO NOTHING

-- name: recount_job
-- The results of a job are to be counted again.
INSERT INTO recount VALUES ($job_id) ON CONFLICT DO NOTHING

-- name: recount_batches
-- Imported batches whose items were named anew are to be counted again, where any has a unit that is counted.
INSERT INTO recount
SELECT DISTINCT i.batch_id FROM incoming i
JOIN class c USING (class_id) JOIN class_unit u ON u.class_name = c.name
WHERE u.kind <> 'output_tokens'
ON CONFLICT DO NOTHING

-- name: to_recount
-- The jobs whose results are still to be counted.
SELECT job_id FROM recount ORDER BY job_id

-- name: drop_recount
-- The results of a job are counted, or gone.
DELETE FROM recount WHERE job_id = $job_id

-- name: job_units
-- The counts that are to be read from a job's results, and of which classes.
SELECT u.kind, u.place, list(DISTINCT c.class_id ORDER BY c.class_id) AS class_ids
FROM class c JOIN class_unit u ON u.class_name = c.name
WHERE u.kind <> 'output_tokens' AND c.class_id IN (SELECT class_id FROM attempt WHERE job_id = $job_id)
GROUP BY ALL ORDER BY u.kind, u.place

-- name: usable_attempts
-- The attempts of a job that gave something usable.
SELECT custom_id, class_id FROM attempt WHERE job_id = $job_id AND usable

-- name: put_counts
-- What was counted in the results of a job.
MERGE INTO attempt USING incoming
ON attempt.job_id = $job_id AND attempt.custom_id = incoming.custom_id
WHEN MATCHED THEN UPDATE SET counted_units = incoming.counted_units

-- name: newest_jobs_of_class_name
-- The jobs with usable attempts of the classes of a name, the newest first.
SELECT job_id FROM cost_cell
WHERE usable AND class_id IN (SELECT class_id FROM class WHERE name = $class_name)
GROUP BY job_id ORDER BY max(submitted_at) DESC, job_id LIMIT $limit

-- name: read_counts
-- Answers of a raw results file, and the array's length or the number that each has at $place; on a connection of its
-- own that may read files. The text of an answer is given only where no place in its JSON is asked for. What an answer
-- is: core/grading/answer.py; a Markdown fence around JSON is no part of it.
WITH answer AS (
    SELECT custom_id,
           CASE len(calls) WHEN 0 THEN said WHEN 1 THEN calls[1]::VARCHAR ELSE to_json(calls)::VARCHAR END AS answer
    FROM (
        SELECT custom_id,
               list_transform(list_filter(content, lambda block: block.type = 'tool_use'), lambda block: block.input)
                   AS calls,
               list_aggregate(list_transform(list_filter(content, lambda block: block.type = 'text'),
                                             lambda block: coalesce(block.text, '')), 'string_agg', '') AS said
        FROM (
            SELECT custom_id, result.message.content AS content
            FROM read_json($path, format = 'newline_delimited', maximum_object_size = 67108864,
                           ignore_errors = true, columns = {
                custom_id: 'VARCHAR',
                result: 'STRUCT(message STRUCT(content STRUCT("type" VARCHAR, text VARCHAR, input JSON)[]))'})
            LIMIT $limit
        )
    )
),
inside AS (
    SELECT custom_id, answer,
           coalesce(nullif(regexp_extract(answer, '(?s)^\s*```[A-Za-z]*[ \t]*\n(.*)\n[ \t]*```\s*$', 1), ''), answer)
               AS value
    FROM answer
),
found AS (
    SELECT custom_id, answer,
           CASE TRY(json_type(value, $place))
                WHEN 'ARRAY' THEN json_array_length(value, $place)::DOUBLE
                WHEN 'UBIGINT' THEN TRY_CAST(json_extract_string(value, $place) AS DOUBLE)
                WHEN 'DOUBLE' THEN TRY_CAST(json_extract_string(value, $place) AS DOUBLE) END AS number
    FROM inside
)
SELECT custom_id, CASE WHEN number BETWEEN 0 AND 9007199254740992 AND number = floor(number) THEN number::BIGINT END
           AS counted_units,
       CASE WHEN $place IS NULL THEN answer END AS answer
FROM found

-- name: unit_cells
-- The ledger of work from $first to $last (null = all) within the filters (null and the empty list = all), as unit costs
-- want it: job by job, and apart what is usable, priced and counted. `tag_set` is told apart only where $tagged.
SELECT w.job_id, w.day, date_trunc('week', w.day)::DATE AS week, w.class_name, w.model,
       CASE WHEN $tagged THEN w.tag_set ELSE 0 END AS tag_set, w.unit, w.usable IS TRUE AS usable,
       sum(w.attempts)::BIGINT AS attempts, sum(w.units)::BIGINT AS units, coalesce(sum(w.cost_usd), 0) AS cost_usd,
       sum(w.unpriced)::BIGINT AS unpriced, sum(w.uncounted)::BIGINT AS uncounted
FROM work_cell w LEFT JOIN tag_set t ON t.tag_set = w.tag_set
WHERE ($first::DATE IS NULL OR w.day >= $first::DATE) AND ($last::DATE IS NULL OR w.day <= $last::DATE)
  AND ($class_name::VARCHAR IS NULL OR w.class_name = $class_name)
  AND (len($models::VARCHAR[]) = 0 OR list_contains($models::VARCHAR[], w.model))
  AND ($tag_name::VARCHAR IS NULL OR t.tags[$tag_name::VARCHAR] = $tag_text)
GROUP BY w.job_id, w.day, w.class_name, w.model, CASE WHEN $tagged THEN w.tag_set ELSE 0 END, w.unit,
         w.usable IS TRUE, w.unpriced > 0, w.uncounted > 0
