-- The calls of cascades by attempt, as far as one hour (or one window) holds it: those of a run that share tier, outcome and
-- confidence belong together, since the attributes may sit on one span around several calls.
-- Fragments: hour (to group by, or a constant), keys and sets (further columns to group by, each with a comma before, or
-- empty), own (a further column, with its comma, or empty), hours and filters (conditions on c). Parameters: project, those of the fragments.
-- A judge's calls count in calls and costs; tokens and rates are those of the answer alone. Calls are put in order by numbers,
-- since ClickHouse compares tuples ten times as slowly.
-- Result: cascade_parts of the migrations without project, what may be filtered, version and is_deleted; keys, own.
SELECT
    $hour AS hour,
    c.cascade_name AS cascade,
    sipHash128(c.cascade_name, if(c.cascade_run_id = '', c.trace_id, c.cascade_run_id)) AS run,
    toUInt16(ifNull(c.cascade_tier, 0)) AS tier,
    c.cascade_outcome AS said,
    c.cascade_confidence AS confidence,
    argMin(c.model, bitShiftLeft(toUInt64(c.cascade_judge), 63) + toUInt64(toUnixTimestamp64Nano(c.started_at))) AS first_model,
    min(c.started_at) AS started_at,
    min(bitShiftLeft(toUInt64(c.cascade_judge), 63) + toUInt64(toUnixTimestamp64Nano(c.started_at))) AS first_order,
    max(bitShiftLeft(toUInt64(NOT c.cascade_judge), 63) + toUInt64(toUnixTimestamp64Nano(c.started_at))) AS last_order,
    max(toUnixTimestamp64Nano(c.started_at) + toInt64(c.duration_ns)) AS ended_ns,
    argMax(
        c.status = 'error', bitShiftLeft(toUInt64(NOT c.cascade_judge), 63) + toUInt64(toUnixTimestamp64Nano(c.started_at))
    ) AS failed,
    max(c.cascade_forced) AS forced,
    count() AS calls,
    count(c.cost_usd) AS priced_calls,
    sum(ifNull(c.cost_usd, toDecimal128(0, 12))) AS cost_usd,
    maxIf(isNotNull(c.input_tokens) OR isNotNull(c.output_tokens), NOT c.cascade_judge) AS counted,
    [
        sumIf(ifNull(c.input_tokens, 0), NOT c.cascade_judge),
        sumIf(ifNull(c.cache_read_tokens, 0), NOT c.cascade_judge),
        sumIf(ifNull(c.cache_write_tokens, 0), NOT c.cascade_judge),
        sumIf(ifNull(c.cache_write_1h_tokens, 0), NOT c.cascade_judge),
        sumIf(ifNull(c.output_tokens, 0), NOT c.cascade_judge)
    ] AS tokens,
    [
        sumIf(ifNull(c.input_tokens, 0), isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(ifNull(c.cache_read_tokens, 0), isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(ifNull(c.cache_write_tokens, 0), isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(ifNull(c.cache_write_1h_tokens, 0), isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(ifNull(c.output_tokens, 0), isNotNull(c.cost_usd) AND NOT c.cascade_judge)
    ] AS rate_tokens,
    [
        sumIf(c.cost_lines['input'], isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(c.cost_lines['cache_read'], isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(c.cost_lines['cache_write'], isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(c.cost_lines['cache_write_1h'], isNotNull(c.cost_usd) AND NOT c.cascade_judge),
        sumIf(c.cost_lines['output'] + c.cost_lines['reasoning'], isNotNull(c.cost_usd) AND NOT c.cascade_judge)
    ] AS rate_usd,
    maxIf(c.started_at, c.matched_model != '' AND NOT c.cascade_judge AND ifNull(c.cost_usd, 0) > 0) AS rate_at,
    argMaxIf(
        (toString(c.price_version), toString(c.matched_model)),
        c.started_at,
        c.matched_model != '' AND NOT c.cascade_judge AND ifNull(c.cost_usd, 0) > 0
    ) AS rate_of
    $keys
    $own
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND $hours
  AND c.cascade_name != ''
  AND ($filters)
GROUP BY hour, cascade, run, tier, said, confidence$sets
