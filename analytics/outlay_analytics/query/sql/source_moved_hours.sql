-- Question: what is to be moved where sums of whole days are taken to be of the interval that their noon lies in?
-- Fragments: hours (source_hours.sql; its time are two: of the hour, and of its day's noon), keys (`, d0` …).
-- Result: as source_hours.sql, of the hours that lie in another interval than their day's noon: each row twice, added to the
-- hour's interval and taken from noon's. Counts are modulo 2^64, so that what is taken away is so in every sum.
SELECT
    moved.1 AS time$keys,
    toUInt64(calls * moved.2) AS calls,
    toUInt64(errors * moved.2) AS errors,
    toUInt64(priced_calls * moved.2) AS priced_calls,
    toUInt64(no_usage_calls * moved.2) AS no_usage_calls,
    toUInt64(estimated_calls * moved.2) AS estimated_calls,
    toUInt64(assumed_calls * moved.2) AS assumed_calls,
    toUInt64(cached_unknown_calls * moved.2) AS cached_unknown_calls,
    toUInt64(input_tokens * moved.2) AS input_tokens,
    toUInt64(cache_read_tokens * moved.2) AS cache_read_tokens,
    toUInt64(cache_write_tokens * moved.2) AS cache_write_tokens,
    toUInt64(cache_write_1h_tokens * moved.2) AS cache_write_1h_tokens,
    toUInt64(output_tokens * moved.2) AS output_tokens,
    toUInt64(reasoning_tokens * moved.2) AS reasoning_tokens,
    cost_usd * moved.2 AS cost_usd,
    list_cost_usd * moved.2 AS list_cost_usd,
    uncached_cost_usd * moved.2 AS uncached_cost_usd,
    line_input_usd * moved.2 AS line_input_usd,
    line_cache_read_usd * moved.2 AS line_cache_read_usd,
    line_cache_write_usd * moved.2 AS line_cache_write_usd,
    line_cache_write_1h_usd * moved.2 AS line_cache_write_1h_usd,
    line_output_usd * moved.2 AS line_output_usd,
    line_other_usd * moved.2 AS line_other_usd,
    bucket,
    bucket_calls
FROM ($hours) AS hours
ARRAY JOIN [(hours.time.1, toInt8(1)), (hours.time.2, toInt8(-1))] AS moved
WHERE hours.time.1 != hours.time.2
