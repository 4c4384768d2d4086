-- Rebuild days of `spend_daily` from their hours, with tombstones as in rollup_spend.sql.
INSERT INTO spend_daily
SELECT
    {project:String} AS project, day AS hour, service, environment, feature, team, provider, model, operation, cascade,
    cascade_tier, repeated, cost_state, status,
    sum(s_calls) AS calls,
    sum(s_errors) AS errors,
    $sums,
    sum(s_line_other_usd) AS line_other_usd,
    {version:UInt64} AS version,
    calls = 0 AS is_deleted
FROM
(
    SELECT
        toStartOfDay(hour) AS day, service, environment, feature, team, provider, model, operation, cascade,
        cascade_tier, repeated, cost_state, status,
        calls AS s_calls, errors AS s_errors, priced_calls AS n_priced,
        assumed_calls AS n_assumed, cached_unknown_calls AS n_cached_unknown,
        input_tokens AS s_input_tokens, cache_read_tokens AS s_cache_read_tokens,
        cache_write_tokens AS s_cache_write_tokens, cache_write_1h_tokens AS s_cache_write_1h_tokens,
        output_tokens AS s_output_tokens, reasoning_tokens AS s_reasoning_tokens,
        cost_usd AS s_cost_usd, list_cost_usd AS s_list_cost_usd, uncached_cost_usd AS s_uncached_cost_usd,
        line_input_usd AS s_line_input_usd, line_cache_read_usd AS s_line_cache_read_usd,
        line_cache_write_usd AS s_line_cache_write_usd, line_cache_write_1h_usd AS s_line_cache_write_1h_usd,
        line_output_usd AS s_line_output_usd, line_other_usd AS s_line_other_usd
    FROM spend_hourly FINAL
    WHERE project = {project:String} AND toStartOfDay(hour) IN {days:Array(DateTime)}
    UNION ALL
    SELECT
        hour, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated,
        cost_state, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12),
        toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12)
    FROM spend_daily FINAL
    WHERE project = {project:String} AND hour IN {days:Array(DateTime)}
)
GROUP BY
    day, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated, cost_state,
    status
SETTINGS max_insert_threads = 1
