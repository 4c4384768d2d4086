-- Question: what does each version of each prompt use and cost, part by part, in calls that answer something?
-- Fragments: source (see prompt_source.py), not_answers (operations). Parameters: max_rows, those of the source.
-- Result: one row per prompt and version that calls name, the most expensive first: calls, priced ones and their cost; calls
-- with usage and their tokens; the cost of the input; calls that say their parts, their input, and the tokens of each part.
SELECT
    p.prompt AS prompt,
    p.prompt_version AS version,
    sum(p.calls) AS calls,
    sum(p.priced_calls) AS priced_calls,
    sum(p.cost_usd) AS usd,
    sum(p.used_calls) AS used_calls,
    sum(p.input_tokens) AS input,
    sum(p.read_tokens) AS cached,
    sum(p.output_tokens) AS output,
    sum(p.answered_calls) AS answered_calls,
    sum(p.parted_input_usd) AS parted_input_usd,
    sum(p.parted_calls) AS parted_calls,
    sum(p.parted_priced_calls) AS parted_priced_calls,
    sum(p.parted_input_tokens) AS parted_input,
    CAST(sumMap(p.parts, p.parts_tokens), 'Map(String, UInt64)') AS parts,
    min(p.first_at) AS first_at,
    max(p.last_at) AS last_at
FROM $source AS p
WHERE p.operation NOT IN $not_answers
GROUP BY prompt, version
ORDER BY usd DESC, calls DESC, prompt, version
LIMIT {max_rows:UInt32}
