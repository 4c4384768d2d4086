-- Question: who spent what, and in total?
-- Fragments: relation (spend_source.py, or spend_shown.sql over it), keys (`time`, d0 …), sets (grouping sets), is_total,
-- is_rest (whether a row holds the groups that are left out), groups (how many these are), id (what tells groups apart,
-- UInt128), tie (text, unique: the order of groups of the same size), after (condition on the place, or 1), times (first
-- what the rows are ordered by, or nothing), quantiles (of 0.5 and 0.95 over bucket and bucket_calls), histogram (of
-- durations: buckets and counts, or two empty arrays).
-- Parameters: max_rows, those of the source, cursor_* where `after` reads them.
-- Result: the total first (is_total = 1), then the groups by cost, largest first: counts, tokens, USD over priced calls,
-- quantiles_ms interpolated between histogram buckets (within 3 %).
SELECT
    $keys,
    $is_total AS is_total,
    $is_rest AS is_rest,
    $groups AS groups_left_out,
    $id AS id,
    $tie AS tie,
    sum(calls) AS calls,
    sum(errors) AS errors,
    sum(priced_calls) AS priced_calls,
    sum(no_usage_calls) AS no_usage_calls,
    sum(estimated_calls) AS estimated_calls,
    sum(assumed_calls) AS assumed_calls,
    sum(cached_unknown_calls) AS cached_input_unknown_calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(uncached_cost_usd) AS uncached_cost_usd,
    $quantiles AS quantiles_ms,
    $histogram AS histogram
FROM $relation AS source
GROUP BY GROUPING SETS ($sets)
HAVING is_total OR (calls > 0 AND ($after))
ORDER BY is_total DESC, ${times}cost_usd DESC, calls DESC, tie
LIMIT {max_rows:UInt64}
