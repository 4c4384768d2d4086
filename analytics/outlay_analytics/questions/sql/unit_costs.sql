-- Question: what do units cost together, and how is the cost spread over them?
-- Fragments: relation (unit_costs_of_dimension.sql or unit_costs_of_requests.sql). Parameters: max_rows, those of the relation.
-- Result: per time: units, sums of all calls, those of calls that belong to no unit as unallocated_…; over the units with
-- a known cost (known_units): their cost, percentiles by nearest rank (the smallest cost that at least that share of the units
-- does not exceed) and the largest.
SELECT
    time,
    units,
    known_units,
    calls,
    errors,
    priced_calls,
    cost_usd,
    unallocated_usd,
    unallocated_calls,
    unallocated_priced_calls,
    known_usd,
    costs[toUInt64(ceil(0.5 * known_units))] AS p50_usd,
    costs[toUInt64(ceil(0.9 * known_units))] AS p90_usd,
    costs[toUInt64(ceil(0.99 * known_units))] AS p99_usd,
    costs[known_units] AS max_usd
FROM
(
    SELECT
        time,
        countIf(is_unit) AS units,
        countIf(is_unit AND units.priced_calls > 0) AS known_units,
        sum(units.calls) AS calls,
        sum(units.errors) AS errors,
        sum(units.priced_calls) AS priced_calls,
        sum(units.cost_usd) AS cost_usd,
        sumIf(units.cost_usd, is_loose) AS unallocated_usd,
        sumIf(units.calls, is_loose) AS unallocated_calls,
        sumIf(units.priced_calls, is_loose) AS unallocated_priced_calls,
        sumIf(units.cost_usd, is_unit AND units.priced_calls > 0) AS known_usd,
        arraySort(groupArrayIf(units.cost_usd, is_unit AND units.priced_calls > 0)) AS costs
    FROM $relation AS units
    GROUP BY time
)
ORDER BY time
LIMIT {max_rows:UInt64}
