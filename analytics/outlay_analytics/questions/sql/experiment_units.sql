-- Question: what did the units of each arm of an experiment cost, how often did they fail, for what were they used?
-- Fragments: arm, unit (texts on c), filters (conditions on c). Parameters: project, start, end, those of the fragments.
-- Result: one row per arm: units, those also seen in another arm, sums over units for cost per call and failures per call
-- (see moments.py), units by feature (of each unit's first call), first and last call.
-- Calls are put in order by numbers, and units by a hash before their name: both several times as quick as by texts.
SELECT
    arm,
    count() AS units,
    countIf(arms > 1) AS shared_units,
    countIf(priced > 0) AS cost_units, sum(cost) AS cost_a, sum(priced) AS cost_b,
    sum(cost * cost) AS cost_aa, sum(priced * priced) AS cost_bb, sum(cost * priced) AS cost_ab, 0 AS cost_shares,
    count() AS error_units, sum(errors) AS error_a, sum(calls) AS error_b,
    sum(errors * errors) AS error_aa, sum(calls * calls) AS error_bb, sum(errors * calls) AS error_ab,
    max(calls) = 1 AS error_shares,
    sumMap([feature], [toUInt64(1)]) AS features,
    min(first) AS first_at,
    max(last) AS last_at
FROM
(
    SELECT
        *,
        count() OVER (PARTITION BY sipHash64(unit), unit) AS arms
    FROM
    (
        SELECT
            $arm AS arm,
            $unit AS unit,
            toFloat64(count()) AS calls,
            toFloat64(count(c.cost_usd)) AS priced,
            toFloat64(sum(ifNull(c.cost_usd, 0))) AS cost,
            toFloat64(countIf(c.status = 'error')) AS errors,
            min(c.started_at) AS first,
            max(c.started_at) AS last,
            argMin(
                toString(c.feature),
                bitShiftLeft(toUInt128(toUnixTimestamp64Nano(c.started_at)), 64) + reinterpretAsUInt64(reverse(unhex(c.span_id)))
            ) AS feature
        FROM calls AS c FINAL
        WHERE c.project = {project:String}
          AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
          AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
          AND ($filters)
        GROUP BY arm, unit
        HAVING arm != '' AND unit != ''
    )
)
GROUP BY arm
ORDER BY units DESC, arm
LIMIT 1000
