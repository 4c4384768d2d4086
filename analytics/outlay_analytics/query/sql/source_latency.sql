-- Question: how were durations spread over the clean hours, as histogram buckets?
-- Fragments: rows (source_histograms.sql, or spend_shown.sql over it), keys: the names of time and the dimensions, shown
-- (`is_rest, ` where the groups that are not shown are taken together, else empty), told (`any(group_id)` then).
-- Result: one row per time, dimensions and bucket; bucket_calls counts calls, every other measure is 0.
SELECT
    $keys,
    toUInt64(0) AS calls,
    toUInt64(0) AS errors,
    toUInt64(0) AS priced_calls,
    toUInt64(0) AS no_usage_calls,
    toUInt64(0) AS estimated_calls,
    toUInt64(0) AS assumed_calls,
    toUInt64(0) AS cached_unknown_calls,
    toUInt64(0) AS input_tokens,
    toUInt64(0) AS cache_read_tokens,
    toUInt64(0) AS cache_write_tokens,
    toUInt64(0) AS cache_write_1h_tokens,
    toUInt64(0) AS output_tokens,
    toUInt64(0) AS reasoning_tokens,
    toDecimal128(0, 12) AS cost_usd,
    toDecimal128(0, 12) AS list_cost_usd,
    toDecimal128(0, 12) AS uncached_cost_usd,
    toDecimal128(0, 12) AS line_input_usd,
    toDecimal128(0, 12) AS line_cache_read_usd,
    toDecimal128(0, 12) AS line_cache_write_usd,
    toDecimal128(0, 12) AS line_cache_write_1h_usd,
    toDecimal128(0, 12) AS line_output_usd,
    toDecimal128(0, 12) AS line_other_usd,
    one_bucket AS bucket,
    toUInt64(sum(one_count * sign)) AS bucket_calls$told
FROM $rows
ARRAY JOIN
    buckets AS one_bucket,
    counts AS one_count
GROUP BY $keys, ${shown}one_bucket
HAVING bucket_calls > 0
