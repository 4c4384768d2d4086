-- Rebuild days of `latency_daily` from their hours, with tombstones as in rollup_spend.sql.
INSERT INTO latency_daily
SELECT
    {project:String} AS project, day AS hour, service, environment, feature, team, provider, model, operation, cascade,
    cascade_tier, repeated, cost_state, status,
    (sumMap(hour_buckets, hour_counts) AS merged).1 AS buckets,
    merged.2 AS counts,
    {version:UInt64} AS version,
    empty(buckets) AS is_deleted
FROM
(
    SELECT
        toStartOfDay(hour) AS day, service, environment, feature, team, provider, model, operation, cascade,
        cascade_tier, repeated, cost_state, status, buckets AS hour_buckets, counts AS hour_counts
    FROM latency_hours FINAL
    WHERE project = {project:String} AND toStartOfDay(hour) IN {days:Array(DateTime)}
    UNION ALL
    SELECT
        hour, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated,
        cost_state, status, CAST([], 'Array(UInt16)'), CAST([], 'Array(UInt64)')
    FROM latency_daily FINAL
    WHERE project = {project:String} AND hour IN {days:Array(DateTime)}
)
GROUP BY
    day, service, environment, feature, team, provider, model, operation, cascade, cascade_tier, repeated, cost_state,
    status
SETTINGS max_insert_threads = 1
