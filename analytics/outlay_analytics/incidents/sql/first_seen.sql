-- Question: which values of a dimension appeared in a window that no call of the weeks before it had?
-- Fragments: source (see spend_source.py, by the hour) with d0 the dimension, d1 feature. Parameters: those of the source; since
-- UInt32 (Unix seconds: new are those first seen from then on), most UInt32. Result: value, feature, at (hour), calls.
SELECT
    d0 AS value,
    d1 AS feature,
    min(time) AS at,
    sum(source.calls) AS calls
FROM $source AS source
WHERE d0 != ''
GROUP BY value, feature
HAVING min(time) >= toDateTime({since:UInt32}, 'UTC')
ORDER BY calls DESC, value, feature
LIMIT {most:UInt32}
