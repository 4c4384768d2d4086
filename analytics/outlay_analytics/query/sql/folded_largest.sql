-- Question: which values of each of some dimensions cost most in a window?
-- Fragments: source (see spend_source.py), sets (its keys by dimension, as grouping sets), which (number of a row's set),
-- id of a value (see groups.py), most. Parameters: those of the source.
-- Result: one row per dimension: which, ids, largest first.
SELECT
    which,
    arrayMap(one -> one.3, groupArraySorted($most)((-size, -calls, id))) AS ids
FROM
(
    SELECT
        $which AS which,
        $id AS id,
        sum(source.cost_usd) AS size,
        toInt64(sum(source.calls)) AS calls
    FROM $source AS source
    GROUP BY GROUPING SETS ($sets)
)
GROUP BY which
ORDER BY which
