-- Question: what does each version of each prompt use and cost, part by part, in calls that answer something?
-- Fragments: not_answers (operations), filters (conditions on c). Parameters: project, start, end, max_rows.
-- Result: one row per prompt and version that calls name, the most expensive first: calls, priced ones and their cost; calls
-- with usage and their tokens; the cost of the input; calls that say their parts, their input, and the tokens of each part.
SELECT
    c.prompt AS prompt,
    c.prompt_version AS version,
    count() AS calls,
    count(c.cost_usd) AS priced_calls,
    sum(ifNull(c.cost_usd, 0)) AS usd,
    count(c.input_tokens) AS used_calls,
    sum(ifNull(c.input_tokens, 0)) AS input,
    sum(ifNull(c.cache_read_tokens, 0)) AS cached,
    sum(ifNull(c.output_tokens, 0)) AS output,
    count(c.output_tokens) AS answered_calls,
    sumIf(
        c.cost_lines['input'] + c.cost_lines['cache_read'] + c.cost_lines['cache_write'] + c.cost_lines['cache_write_1h'],
        notEmpty(c.prompt_parts)
    ) AS parted_input_usd,
    countIf(notEmpty(c.prompt_parts)) AS parted_calls,
    countIf(notEmpty(c.prompt_parts) AND isNotNull(c.cost_usd)) AS parted_priced_calls,
    sumIf(ifNull(c.input_tokens, 0), notEmpty(c.prompt_parts)) AS parted_input,
    sumMap(c.prompt_parts) AS parts,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.prompt != ''
  AND c.cost_state != 'cached'
  AND c.operation NOT IN $not_answers
  AND ($filters)
GROUP BY prompt, version
ORDER BY usd DESC, calls DESC, prompt, version
LIMIT {max_rows:UInt32}
