-- Rebuild days of `cascade_confidence_days` from the hours of `cascade_confidences`, with a tombstone for every key that is
-- no longer there. Parameters: project, days, version, grid (the steps). Tuples are told apart by place, not by name.
INSERT INTO cascade_confidence_days
SELECT
    {project:String} AS project, day, cascade, service, environment, feature, team, differs, narrowed, steps,
    minIf(confidence, n_runs > 0) AS least,
    sum(n_runs) AS runs,
    sum(n_priced) AS priced_runs,
    sum(s_first_usd) AS first_usd,
    sum(n_escalated) AS priced_escalations,
    sum(s_rest_usd) AS rest_usd,
    arraySort(groupArrayIf((confidence, n_runs, n_priced, s_first_usd, n_escalated, s_rest_usd), n_runs > 0)) AS lists,
    {version:UInt64} AS version,
    runs = 0 AS is_deleted
FROM
(
    SELECT
        toStartOfDay(h.hour) AS day, h.cascade AS cascade, h.service AS service, h.environment AS environment,
        h.feature AS feature, h.team AS team, h.differs AS differs, h.narrowed AS narrowed,
        toUInt8(arrayCount(step -> step <= one_confidence, {grid:Array(Float64)})) AS steps,
        one_confidence AS confidence,
        sum(one_runs) AS n_runs,
        sum(one_priced) AS n_priced,
        sum(one_first_usd) AS s_first_usd,
        sum(one_escalated) AS n_escalated,
        sum(one_rest_usd) AS s_rest_usd
    FROM cascade_confidences AS h FINAL
    ARRAY JOIN
        h.confidences AS one_confidence,
        h.runs AS one_runs,
        h.priced_runs AS one_priced,
        h.first_usd AS one_first_usd,
        h.priced_escalations AS one_escalated,
        h.rest_usd AS one_rest_usd
    WHERE h.project = {project:String} AND toStartOfDay(h.hour) IN {days:Array(DateTime('UTC'))}
    GROUP BY day, cascade, service, environment, feature, team, differs, narrowed, confidence
    UNION ALL
    SELECT
        hour, cascade, service, environment, feature, team, differs, narrowed, steps, 0, 0, 0, toDecimal128(0, 12), 0,
        toDecimal128(0, 12)
    FROM cascade_confidence_days FINAL
    WHERE project = {project:String} AND hour IN {days:Array(DateTime('UTC'))}
)
GROUP BY day, cascade, service, environment, feature, team, differs, narrowed, steps
SETTINGS max_insert_threads = 1, enable_named_columns_in_function_tuple = 0
