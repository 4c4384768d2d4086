-- Rebuild hours of `lookup_hourly` from `lookups`, with a tombstone for every key that is no longer there.
INSERT INTO lookup_hourly
SELECT
    {project:String} AS project, hour, kind, service, environment, feature, team, provider, model,
    sum(n_lookups) AS lookups,
    sum(n_hits) AS hits,
    sum(n_known) AS known_hits,
    sum(usd) AS avoided_usd,
    {version:UInt64} AS version,
    lookups = 0 AS is_deleted
FROM
(
    SELECT
        toStartOfHour(c.started_at) AS hour, c.kind AS kind, c.service AS service, c.environment AS environment,
        c.feature AS feature, c.team AS team, c.provider AS provider, c.model AS model,
        count() AS n_lookups,
        countIf(c.hit) AS n_hits,
        countIf(c.hit AND isNotNull(c.avoided_usd)) AS n_known,
        sumIf(ifNull(c.avoided_usd, toDecimal128(0, 12)), c.hit) AS usd
    FROM lookups AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= {first:DateTime('UTC')} AND c.started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
      AND toStartOfHour(c.started_at) IN {hours:Array(DateTime('UTC'))}
    GROUP BY hour, kind, service, environment, feature, team, provider, model
    UNION ALL
    SELECT hour, kind, service, environment, feature, team, provider, model, 0, 0, 0, toDecimal128(0, 12)
    FROM lookup_hourly FINAL
    WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}
)
GROUP BY hour, kind, service, environment, feature, team, provider, model
SETTINGS max_insert_threads = 1
