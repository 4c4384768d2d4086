-- Question: which users, customers or sessions spent more than a limit in a window that ends with each step?
-- Fragments: source (see spend_source.py, by the hour or day) with d0 the dimension. Parameters: those of the source; step_s
-- UInt32 (its length in seconds), steps UInt32 (steps of the window), limit_usd Decimal, most UInt32 (named of each step).
-- Result: time (start of the window's last step), over (how many), names and amounts of the largest. However many values
-- there are, a step is one row.
SELECT
    at AS time,
    count() AS over,
    arraySlice(arrayMap(pair -> pair.2, arrayReverseSort(groupArray((usd, value)))), 1, {most:UInt32}) AS names,
    arraySlice(arrayReverseSort(groupArray(usd)), 1, {most:UInt32}) AS amounts
FROM
(
    SELECT
        d0 AS value,
        time + toIntervalSecond({step_s:UInt32} * shift) AS at,
        sum(source.cost_usd) AS usd
    FROM $source AS source
    ARRAY JOIN range({steps:UInt32}) AS shift
    WHERE d0 != ''
    GROUP BY value, at
    HAVING usd > {limit_usd:Decimal(38, 12)}
)
GROUP BY time
ORDER BY time
