-- Question: what did every combination of the dimensions that a slice may name cost in one window, largest first?
-- Fragments: source (see spend_source.py), keys (d0, d1, …). Parameters: max_rows, and those of the source.
-- Result: d0 …, usd.
SELECT
    $keys,
    sum(source.cost_usd) AS usd
FROM $source AS source
GROUP BY $keys
HAVING usd != 0
ORDER BY usd DESC, $keys
LIMIT {max_rows:UInt32}
