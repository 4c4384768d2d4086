-- Question: what was spent in each interval of a window, by the values of some dimensions?
-- Fragments: source (see spend_source.py), keys (d0, d1, …, or nothing). Parameters: those of the source.
-- Result: time (start of the interval), value (Array(String), of the dimensions in order), usd (over priced calls), calls; only
-- intervals with calls, oldest first.
SELECT
    time,
    CAST([$keys] AS Array(String)) AS value,
    sum(source.cost_usd) AS usd,
    sum(source.calls) AS calls
FROM $source AS source
GROUP BY time, value
ORDER BY time, value
