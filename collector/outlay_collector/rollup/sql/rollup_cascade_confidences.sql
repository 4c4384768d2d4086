-- Rebuild hours of `cascade_confidences`, with a tombstone for every key that is no longer there: what all calls say from
-- `cascade_fresh`, lists of the runs within one hour from alone. Fragment: alone (see cascades.py).
INSERT INTO cascade_confidences
SELECT
    {project:String} AS project, hour, cascade, service, environment, feature, team, differs, narrowed,
    calls, seen, lowest, highest, thresholds,
    confidences, runs, priced_runs, first_usd, priced_escalations, rest_usd,
    {version:UInt64} AS version,
    0 AS is_deleted
FROM
(
    SELECT
        hour, cascade, service, environment, feature, team, toUInt8(0) AS differs, toUInt8(0) AS narrowed,
        sum(f.calls) AS calls,
        groupUniqArrayIf(31)(assumeNotNull(f.confidence), f.tier = 0 AND isNotNull(f.confidence)) AS seen,
        minIf(f.confidence, f.tier = 0) AS lowest,
        maxIf(f.confidence, f.tier = 0) AS highest,
        groupUniqArrayArray(20)(f.thresholds) AS thresholds
    FROM cascade_fresh AS f
    GROUP BY hour, cascade, service, environment, feature, team
) AS every
FULL JOIN
(
    SELECT
        hour, cascade,
        own.1 AS service, own.2 AS environment, own.3 AS feature, own.4 AS team, own.5 AS differs, own.6 AS narrowed,
        groupArray(confidence) AS confidences,
        groupArray(n_runs) AS runs,
        groupArray(n_priced_runs) AS priced_runs,
        groupArray(s_first_usd) AS first_usd,
        groupArray(n_priced_escalations) AS priced_escalations,
        groupArray(s_rest_usd) AS rest_usd
    FROM
    (
        SELECT
            hour, cascade, own,
            assumeNotNull(run_confidence) AS confidence,
            count() AS n_runs,
            countIf(first_priced) AS n_priced_runs,
            sum(first_cost) AS s_first_usd,
            countIf(rest_priced) AS n_priced_escalations,
            sum(rest_cost) AS s_rest_usd
        FROM
        (
            SELECT
                hour, cascade, own, run,
                minIf(f.confidence, f.tier = 0) AS run_confidence,
                max(f.tier = 0 AND f.priced_calls > 0) AS first_priced,
                max(f.tier > 0 AND f.priced_calls > 0) AS rest_priced,
                sumIf(f.cost_usd, f.tier = 0) AS first_cost,
                sumIf(f.cost_usd, f.tier > 0) AS rest_cost
            FROM ($alone) AS f
            GROUP BY hour, cascade, own, run
        )
        WHERE isNotNull(run_confidence)
        GROUP BY hour, cascade, own, confidence
    )
    GROUP BY hour, cascade, own
) AS known USING (hour, cascade, service, environment, feature, team, differs, narrowed)
UNION ALL
SELECT * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM cascade_confidences FINAL
WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}
  AND (hour, toString(cascade), sipHash64(service, environment, feature, team), differs, narrowed) NOT IN
  (
    SELECT hour, toString(cascade), sipHash64(service, environment, feature, team), 0, 0 FROM cascade_fresh
    UNION DISTINCT
    SELECT hour, toString(cascade), sipHash64(own.1, own.2, own.3, own.4), own.5, own.6
    FROM cascade_narrowed
    WHERE tier = 0 AND isNotNull(confidence)
  )
SETTINGS max_insert_threads = 1
