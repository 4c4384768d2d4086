-- Question: what did the calls of each team (customer, feature …) cost directly?
-- Fragments: source (see spend_source.py) with d0 the dimension. Parameters: max_rows, those of the source.
-- Result: value (empty where calls do not say), calls, priced_calls, cost_usd over priced calls, the largest first.
SELECT
    d0 AS value,
    sum(source.calls) AS calls,
    sum(source.priced_calls) AS priced_calls,
    sum(source.cost_usd) AS cost_usd
FROM $source AS source
GROUP BY value
ORDER BY cost_usd DESC, calls DESC, value
LIMIT {max_rows:UInt64}
