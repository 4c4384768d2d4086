-- Question: how were durations spread over the clean hours, as histogram buckets?
-- Fragments: time, dimensions, hours, filters as in source_hours.sql; keys: the names of time and the dimensions.
-- Result: one row per time, dimensions and bucket; bucket_calls counts calls, every other measure is 0.
SELECT
    $keys,
    toUInt64(0) AS calls,
    toUInt64(0) AS errors,
    toUInt64(0) AS priced_calls,
    toUInt64(0) AS no_usage_calls,
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
    bucket,
    bucket_calls
FROM
(
    SELECT
        $time AS time,
        $dimensions
        one_bucket AS bucket,
        sum(one_count) AS bucket_calls
    FROM $table AS h FINAL
    ARRAY JOIN
        h.buckets AS one_bucket,
        h.counts AS one_count
    WHERE h.project = {project:String}
      AND $hours
      AND ($filters)
    GROUP BY $keys, bucket
)
