-- Question: who spent what, and in total?
-- Fragments: source (see spend_source.py), keys (`time`, d0 …), sets (grouping sets), is_total, quantiles (of 0.5 and
-- 0.95 over bucket and bucket_calls).
-- Parameters: max_rows, and those of the source.
-- Result: the total first (is_total = 1), then the groups by cost, largest first: counts, tokens, USD over priced calls,
-- quantiles_ms interpolated between histogram buckets (within 3 %).
SELECT
    $keys,
    $is_total AS is_total,
    sum(calls) AS calls,
    sum(errors) AS errors,
    sum(priced_calls) AS priced_calls,
    sum(no_usage_calls) AS no_usage_calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(uncached_cost_usd) AS uncached_cost_usd,
    $quantiles AS quantiles_ms
FROM $source AS source
GROUP BY GROUPING SETS ($sets)
ORDER BY is_total DESC, cost_usd DESC, calls DESC, $keys
LIMIT {max_rows:UInt64}
