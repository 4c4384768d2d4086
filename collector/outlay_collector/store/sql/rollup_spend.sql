-- Rebuild hours of `spend_hourly`: the collected rows, and in the same insert a tombstone for every key that the hours
-- had and no longer have.
INSERT INTO spend_hourly
SELECT
    {project:String} AS project, hour, service, environment, feature, team, provider, model, operation, cascade,
    tier AS cascade_tier, repeated, cost_state, status,
    sum(n_calls) AS calls,
    if(status = 'error', calls, 0) AS errors,
    sum(n_priced) AS priced_calls,
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
    cost_usd - line_input_usd - line_cache_read_usd - line_cache_write_usd - line_cache_write_1h_usd - line_output_usd
        AS line_other_usd,
    {version:UInt64} AS version,
    calls = 0 AS is_deleted
FROM
(
    SELECT * EXCEPT histogram FROM rollup_fresh
    UNION ALL
    SELECT
        hour, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated,
        cost_state, status, 0, 0, 0, 0, 0, 0, 0, 0, toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12)
    FROM spend_hourly FINAL
    WHERE project = {project:String} AND hour IN {hours:Array(DateTime)}
)
GROUP BY hour, service, environment, feature, team, provider, model, operation, cascade, tier, repeated, cost_state, status
SETTINGS max_insert_threads = 1
