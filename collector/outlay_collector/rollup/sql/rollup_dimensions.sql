-- Rebuild a day of `dimension_daily` from its calls, read once for all dimensions, with a tombstone for every key that
-- the day had and no longer has.
-- Fragments: values (`expression AS v0, …`), dimension and value (which grouping set a row is of), keys
-- (empty where no set has them), sets, sums.
INSERT INTO dimension_daily
SELECT
    {project:String} AS project, dimension, {day:DateTime('UTC')} AS hour, value, service, environment, feature, team,
    provider, model, operation, cascade, tier AS cascade_tier, repeated, cost_state, status,
    sum(n_calls) AS calls,
    sum(n_errors) AS errors,
    $sums,
    cost_usd - line_input_usd - line_cache_read_usd - line_cache_write_usd - line_cache_write_1h_usd - line_output_usd
        AS line_other_usd,
    (sumMap(histogram.1, histogram.2) AS merged).1 AS buckets,
    merged.2 AS counts,
    {version:UInt64} AS version,
    calls = 0 AS is_deleted
FROM
(
    SELECT
        $dimension AS dimension,
        $value AS value,
        $keys,
        count() AS n_calls,
        countIf(status_of = 'error') AS n_errors,
        countIf(isNotNull(usd)) AS n_priced,
        sum(is_assumed) AS n_assumed,
        sum(is_cached_unknown) AS n_cached_unknown,
        ifNull(sum(input_tokens), 0) AS s_input_tokens,
        ifNull(sum(cache_read_tokens), 0) AS s_cache_read_tokens,
        ifNull(sum(cache_write_tokens), 0) AS s_cache_write_tokens,
        ifNull(sum(cache_write_1h_tokens), 0) AS s_cache_write_1h_tokens,
        ifNull(sum(output_tokens), 0) AS s_output_tokens,
        ifNull(sum(reasoning_tokens), 0) AS s_reasoning_tokens,
        ifNull(sum(usd), 0) AS s_cost_usd,
        ifNull(sumIf(list_usd, isNotNull(usd)), 0) AS s_list_cost_usd,
        ifNull(sumIf(uncached_usd, isNotNull(usd)), 0) AS s_uncached_cost_usd,
        sum(input_usd) AS s_line_input_usd,
        sum(cache_read_usd) AS s_line_cache_read_usd,
        sum(cache_write_usd) AS s_line_cache_write_usd,
        sum(cache_write_1h_usd) AS s_line_cache_write_1h_usd,
        sum(output_usd) AS s_line_output_usd,
        sumMap([bucket], [toUInt64(1)]) AS histogram
    FROM
    (
        SELECT
            $values,
            c.service AS service, c.environment AS environment, c.feature AS feature, c.team AS team,
            c.provider AS provider, c.model AS model, c.operation AS operation, c.cascade_name AS cascade,
            ifNull(toInt16(c.cascade_tier), -1) AS tier, c.attempt > 1 AS repeated, c.cost_state AS cost_state,
            c.status AS status, c.status AS status_of,
            c.input_tokens AS input_tokens, c.cache_read_tokens AS cache_read_tokens,
            c.cache_write_tokens AS cache_write_tokens, c.cache_write_1h_tokens AS cache_write_1h_tokens,
            c.output_tokens AS output_tokens, c.reasoning_tokens AS reasoning_tokens,
            c.assumed AS is_assumed, c.cached_unknown AS is_cached_unknown,
            c.cost_usd AS usd, c.list_cost_usd AS list_usd, c.uncached_cost_usd AS uncached_usd,
            c.cost_lines['input'] AS input_usd, c.cost_lines['cache_read'] AS cache_read_usd,
            c.cost_lines['cache_write'] AS cache_write_usd, c.cost_lines['cache_write_1h'] AS cache_write_1h_usd,
            c.cost_lines['output'] AS output_usd,
            toUInt16(floor(log2(greatest(c.duration_ns / 1000, 1)) * 16)) AS bucket
        FROM calls AS c FINAL
        WHERE c.project = {project:String}
          AND c.started_at >= {day:DateTime('UTC')} AND c.started_at < {day:DateTime('UTC')} + INTERVAL 1 DAY
    )
    GROUP BY GROUPING SETS ($sets)
    UNION ALL
    SELECT
        dimension, value, service, environment, feature, team, provider, model, operation, cascade, cascade_tier,
        repeated, cost_state, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12), CAST(([], []), 'Tuple(Array(UInt16), Array(UInt64))')
    FROM dimension_daily FINAL
    WHERE project = {project:String} AND hour = {day:DateTime('UTC')}
)
GROUP BY
    dimension, value, service, environment, feature, team, provider, model, operation, cascade, tier, repeated,
    cost_state, status
SETTINGS max_insert_threads = 1
