-- Question: which users, customers or sessions spent more than a limit in the windows that end at some instants?
-- Fragments: source (see spend_source.py) with d0 the dimension, ends (the ends of the windows that a row lies in; see
-- measures.py). Parameters: those of both; limit_usd Decimal, most UInt32 (named of each window).
-- Result: end (Unix seconds), over (how many), names and amounts of the largest. However many values there are, a window is
-- one row.
SELECT
    end,
    count() AS over,
    arraySlice(arrayMap(pair -> pair.2, arrayReverseSort(groupArray((usd, value)))), 1, {most:UInt32}) AS names,
    arraySlice(arrayReverseSort(groupArray(usd)), 1, {most:UInt32}) AS amounts
FROM
(
    SELECT
        d0 AS value,
        arrayJoin($ends) AS end,
        sum(source.cost_usd) AS usd
    FROM $source AS source
    WHERE d0 != ''
    GROUP BY value, end
    HAVING usd > {limit_usd:Decimal(38, 12)}
)
GROUP BY end
