-- Question: what do the rollups hold for these clean hours or days?
-- Fragments: table (spend_hourly, spend_daily, dimension_daily), time, dimensions (`expression AS d0,` …), hours and filters
-- (conditions), final (` FINAL`, or nothing where replaced rows do no harm).
-- Parameters: project, and those of the fragments.
-- Result: one row per rollup key: time, d0 …, counts, tokens, USD; bucket and bucket_calls are 0 (no latency here).
SELECT
    $time AS time,
    $dimensions
    h.calls AS calls,
    h.errors AS errors,
    h.priced_calls AS priced_calls,
    if(h.cost_state = 'no_usage', h.calls, 0) AS no_usage_calls,
    if(h.cost_state = 'estimated', h.calls, 0) AS estimated_calls,
    h.assumed_calls AS assumed_calls,
    h.cached_unknown_calls AS cached_unknown_calls,
    h.input_tokens AS input_tokens,
    h.cache_read_tokens AS cache_read_tokens,
    h.cache_write_tokens AS cache_write_tokens,
    h.cache_write_1h_tokens AS cache_write_1h_tokens,
    h.output_tokens AS output_tokens,
    h.reasoning_tokens AS reasoning_tokens,
    h.cost_usd AS cost_usd,
    h.list_cost_usd AS list_cost_usd,
    h.uncached_cost_usd AS uncached_cost_usd,
    h.line_input_usd AS line_input_usd,
    h.line_cache_read_usd AS line_cache_read_usd,
    h.line_cache_write_usd AS line_cache_write_usd,
    h.line_cache_write_1h_usd AS line_cache_write_1h_usd,
    h.line_output_usd AS line_output_usd,
    h.line_other_usd AS line_other_usd,
    toUInt16(0) AS bucket,
    toUInt64(0) AS bucket_calls
FROM $table AS h$final
PREWHERE h.project = {project:String}
  AND $hours
  AND ($filters)
