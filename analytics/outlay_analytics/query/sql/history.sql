-- Question: what was spent in each interval of a window?
-- Fragments: source (see spend_source.py). Parameters: those of the source.
-- Result: time (start of the interval), usd (over priced calls), calls; only intervals with calls, oldest first.
SELECT
    time,
    sum(source.cost_usd) AS usd,
    sum(source.calls) AS calls
FROM $source AS source
GROUP BY time
ORDER BY time
