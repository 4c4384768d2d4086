-- Question: what did every combination of the dimensions that a slice may name cost in one window, largest first?
-- Fragments: source (see folding.py over spend_source.py), keys (d0, d1, …, rest). Parameters: max_rows, and those of the source.
-- Result: d0 …, rest (bits: which of them hold all others), usd.
SELECT
    $keys,
    sum(source.cost_usd) AS usd
FROM $source AS source
GROUP BY $keys
HAVING usd != 0
ORDER BY usd DESC, $keys
LIMIT {max_rows:UInt32}
