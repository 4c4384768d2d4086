-- Question: as cascade_confidences.sql, of a cascade of which nothing was scored, as far as possible from the rollup.
-- Fragments: hours (a condition on cascade_confidences AS h, or 0), days (one on cascade_confidence_days AS h, or 0), parts (relations of cascade_source_parts.sql), runs (a
-- relation of cascade_runs.sql, of the calls that are not read from there). Parameters: project, name, steps, parted (rows
-- of a day that steps part, by their `steps`), those of the fragments.
-- Result: as cascade_confidences.sql, without scores.
SELECT
    arrayCount(step -> step <= r.one_confidence, {steps:Array(Float64)}) AS reached,
    min(r.one_confidence) AS confidence,
    nan AS scored_from,
    sum(r.n_runs) AS runs,
    sum(r.n_priced) AS priced_runs,
    sum(r.first_cost) AS first_usd,
    sum(r.n_escalated) AS priced_escalations,
    sum(r.rest_cost) AS rest_usd,
    0 AS first_scored,
    0.0 AS first_score_sum,
    0 AS last_scored,
    0.0 AS last_score_sum
FROM
(
    SELECT
        one_confidence,
        one_runs AS n_runs,
        one_priced AS n_priced,
        one_first_usd AS first_cost,
        one_escalated AS n_escalated,
        one_rest_usd AS rest_cost
    FROM cascade_confidences AS h FINAL
    ARRAY JOIN
        h.confidences AS one_confidence,
        h.runs AS one_runs,
        h.priced_runs AS one_priced,
        h.first_usd AS one_first_usd,
        h.priced_escalations AS one_escalated,
        h.rest_usd AS one_rest_usd
    WHERE h.project = {project:String}
      AND h.cascade = {name:String}
      AND ($hours)
    UNION ALL
    SELECT h.least, h.runs, h.priced_runs, h.first_usd, h.priced_escalations, h.rest_usd
    FROM cascade_confidence_days AS h FINAL
    PREWHERE h.project = {project:String}
      AND h.cascade = {name:String}
      AND h.steps NOT IN {parted:Array(UInt8)}
      AND ($days)
    UNION ALL
    SELECT one.confidence, one.runs, one.priced_runs, one.first_usd, one.priced_escalations, one.rest_usd
    FROM cascade_confidence_days AS h FINAL
    ARRAY JOIN h.lists AS one
    PREWHERE h.project = {project:String}
      AND h.cascade = {name:String}
      AND h.steps IN {parted:Array(UInt8)}
      AND ($days)
    UNION ALL
    SELECT
        assumeNotNull(min(run_confidence)) AS one_confidence,
        toUInt64(1) AS n_runs,
        toUInt64(max(first_priced)) AS n_priced,
        sum(first_cost) AS first_cost,
        toUInt64(max(rest_priced)) AS n_escalated,
        sum(rest_cost) AS rest_cost
    FROM
    (
        SELECT run, run_confidence, first_priced, rest_priced, first_cost, rest_cost
        FROM ($runs)
        UNION ALL
        SELECT
            h.run AS run,
            minIf(h.confidence, h.tier = 0) AS run_confidence,
            max(h.tier = 0 AND h.priced_calls > 0) AS first_priced,
            max(h.tier > 0 AND h.priced_calls > 0) AS rest_priced,
            sumIf(h.cost_usd, h.tier = 0) AS first_cost,
            sumIf(h.cost_usd, h.tier > 0) AS rest_cost
        FROM ($parts) AS h
        WHERE h.cascade = {name:String}
        GROUP BY run
    )
    GROUP BY run
    HAVING isNotNull(min(run_confidence))
) AS r
GROUP BY reached
ORDER BY reached
