-- Question: in which hour of a window was the first call of each value of some dimensions?
-- Fragments: source (see spend_source.py, by the hour), keys (d0, d1, …, or nothing). Parameters: those of the source.
-- Result: time, value (Array(String), of the dimensions in order).
SELECT
    min(source.time) AS time,
    CAST([$keys] AS Array(String)) AS value
FROM $source AS source
GROUP BY value
