-- Question: what is known of each tier that routers chose, by task and kind of decision?
-- Fragments: decisions (rows of task, stratum, trace_id, tier, propensity, y). Parameters: those of it, max_rows.
-- Result: one row per task, stratum and tier, tier '' for whatever was chosen: sums over clusters, the decisions of one
-- trace in a stratum (see statistics/off_policy.py), the largest strata first.
SELECT
    task,
    stratum,
    tupleElement(one, 1) AS tier,
    sum(tupleElement(one, 2)) AS chosen,
    count() AS clusters,
    sum(tupleElement(one, 3) AS w_y) AS a,
    sum(tupleElement(one, 4) AS w) AS b,
    sum(w_y * w_y) AS aa,
    sum(w * w) AS bb,
    sum(w_y * w) AS ab,
    sum(n * w_y) AS na,
    sum(n * w) AS nb,
    sum(total * w_y) AS ya,
    sum(total * w) AS yb,
    max(odd) = 0 AS shares,
    sum(w_y * w_y * w_y) AS aaa,
    sum(w_y * w_y * w) AS aab,
    sum(w_y * w * w) AS abb,
    sum(w * w * w) AS bbb
FROM
(
    SELECT
        task,
        stratum,
        trace_id,
        toFloat64(count()) AS n,
        sum(y) AS total,
        countIf(y NOT IN (0, 1)) AS odd,
        sumMap([tier], [toUInt64(1)], [y / propensity], [1 / propensity]) AS by_tier,
        arrayConcat(
            [('', toUInt64(count()), sum(y), toFloat64(count()))],
            arrayZip(by_tier.1, by_tier.2, by_tier.3, by_tier.4)
        ) AS every
    FROM ($decisions)
    GROUP BY task, stratum, trace_id
)
ARRAY JOIN every AS one
GROUP BY task, stratum, tier
ORDER BY max(chosen) OVER (PARTITION BY task, stratum) DESC, task, stratum, tier
LIMIT {max_rows:UInt32}
