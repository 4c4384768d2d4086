-- Rebuild hours of `spend_hourly`: the collected rows, and in the same insert a tombstone for every key that the hours
-- had and no longer have.
INSERT INTO spend_hourly
SELECT
    {project:String} AS project, hour, service, environment, feature, team, provider, model, operation, cascade,
    tier AS cascade_tier, repeated, cost_state, status,
    sum(n_calls) AS calls,
    if(status = 'error', calls, 0) AS errors,
    $sums,
    cost_usd - line_input_usd - line_cache_read_usd - line_cache_write_usd - line_cache_write_1h_usd - line_output_usd
        AS line_other_usd,
    {version:UInt64} AS version,
    calls = 0 AS is_deleted
FROM
(
    SELECT * EXCEPT (histogram, n_prompts) FROM rollup_fresh
    UNION ALL
    SELECT
        hour, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated,
        cost_state, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12),
        toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12), toDecimal128(0, 12)
    FROM spend_hourly FINAL
    WHERE project = {project:String} AND hour IN {hours:Array(DateTime)}
)
GROUP BY hour, service, environment, feature, team, provider, model, operation, cascade, tier, repeated, cost_state, status
SETTINGS max_insert_threads = 1
