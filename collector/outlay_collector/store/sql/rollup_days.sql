-- Rebuild days of `spend_daily` from their hours, with tombstones as in rollup_spend.sql.
INSERT INTO spend_daily
SELECT
    {project:String} AS project, day AS hour, service, environment, feature, team, provider, model, operation, cascade,
    cascade_tier, repeated, cost_state, status,
    sum(s_calls) AS calls,
    sum(s_errors) AS errors,
    sum(s_priced) AS priced_calls,
    sum(s_input_tokens) AS input_tokens,
    sum(s_cache_read_tokens) AS cache_read_tokens,
    sum(s_cache_write_tokens) AS cache_write_tokens,
    sum(s_cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(s_output_tokens) AS output_tokens,
    sum(s_reasoning_tokens) AS reasoning_tokens,
    sum(s_cost_usd) AS cost_usd,
    sum(s_list_cost_usd) AS list_cost_usd,
    sum(s_uncached_cost_usd) AS uncached_cost_usd,
    sum(s_line_input_usd) AS line_input_usd,
    sum(s_line_cache_read_usd) AS line_cache_read_usd,
    sum(s_line_cache_write_usd) AS line_cache_write_usd,
    sum(s_line_cache_write_1h_usd) AS line_cache_write_1h_usd,
    sum(s_line_output_usd) AS line_output_usd,
    sum(s_line_other_usd) AS line_other_usd,
    {version:UInt64} AS version,
    calls = 0 AS is_deleted
FROM
(
    SELECT
        toStartOfDay(hour) AS day, service, environment, feature, team, provider, model, operation, cascade,
        cascade_tier, repeated, cost_state, status,
        calls AS s_calls, errors AS s_errors, priced_calls AS s_priced,
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
        cost_state, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12)
    FROM spend_daily FINAL
    WHERE project = {project:String} AND hour IN {days:Array(DateTime)}
)
GROUP BY
    day, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated, cost_state,
    status
SETTINGS max_insert_threads = 1
