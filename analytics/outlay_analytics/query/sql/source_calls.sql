-- Question: what do the calls themselves say, where no clean rollup does?
-- Fragments: time, dimensions, hours (condition on started_at), filters, final (as in source_hours.sql).
-- Result: one row per call, with the columns of source_hours.sql. The bucket of a duration is that of latency_hours:
-- floor(16 * log2(microseconds)).
SELECT
    $time AS time,
    $dimensions
    toUInt64(1) AS calls,
    toUInt64(c.status = 'error') AS errors,
    toUInt64(isNotNull(c.cost_usd)) AS priced_calls,
    toUInt64(c.cost_state = 'no_usage') AS no_usage_calls,
    toUInt64(c.cost_state = 'estimated') AS estimated_calls,
    toUInt64(c.assumed) AS assumed_calls,
    toUInt64(c.cached_unknown) AS cached_unknown_calls,
    ifNull(c.input_tokens, 0) AS input_tokens,
    ifNull(c.cache_read_tokens, 0) AS cache_read_tokens,
    ifNull(c.cache_write_tokens, 0) AS cache_write_tokens,
    ifNull(c.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
    ifNull(c.output_tokens, 0) AS output_tokens,
    ifNull(c.reasoning_tokens, 0) AS reasoning_tokens,
    ifNull(c.cost_usd, toDecimal128(0, 12)) AS cost_usd,
    if(isNull(c.cost_usd), toDecimal128(0, 12), ifNull(c.list_cost_usd, toDecimal128(0, 12))) AS list_cost_usd,
    if(isNull(c.cost_usd), toDecimal128(0, 12), ifNull(c.uncached_cost_usd, toDecimal128(0, 12))) AS uncached_cost_usd,
    c.cost_lines['input'] AS line_input_usd,
    c.cost_lines['cache_read'] AS line_cache_read_usd,
    c.cost_lines['cache_write'] AS line_cache_write_usd,
    c.cost_lines['cache_write_1h'] AS line_cache_write_1h_usd,
    c.cost_lines['output'] AS line_output_usd,
    ifNull(c.cost_usd, toDecimal128(0, 12)) - c.cost_lines['input'] - c.cost_lines['cache_read']
        - c.cost_lines['cache_write'] - c.cost_lines['cache_write_1h'] - c.cost_lines['output'] AS line_other_usd,
    toUInt16(floor(log2(greatest(c.duration_ns / 1000, 1)) * 16)) AS bucket,
    toUInt64(1) AS bucket_calls
FROM calls AS c$final
WHERE c.project = {project:String}
  AND $hours
  AND ($filters)
