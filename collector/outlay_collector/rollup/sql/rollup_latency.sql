-- Rebuild hours of `latency_hours`, as rollup_spend.sql.
INSERT INTO latency_hours
SELECT
    {project:String} AS project, hour, service, environment, feature, team, provider, model, operation, cascade,
    tier AS cascade_tier, repeated, cost_state, status,
    (sumMap(histogram.1, histogram.2) AS merged).1 AS buckets,
    merged.2 AS counts,
    {version:UInt64} AS version,
    empty(buckets) AS is_deleted
FROM
(
    SELECT
        hour, service, environment, feature, team, provider, model, operation, cascade, tier, repeated, cost_state,
        status, histogram
    FROM rollup_fresh
    UNION ALL
    SELECT
        hour, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated,
        cost_state, status, CAST(([], []), 'Tuple(Array(UInt16), Array(UInt64))')
    FROM latency_hours FINAL
    WHERE project = {project:String} AND hour IN {hours:Array(DateTime)}
)
GROUP BY hour, service, environment, feature, team, provider, model, operation, cascade, tier, repeated, cost_state, status
SETTINGS max_insert_threads = 1
