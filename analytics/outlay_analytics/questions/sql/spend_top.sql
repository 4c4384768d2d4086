-- Question: which groups are the largest of a window, and into how many steps does it fall?
-- Fragments: source (see spend_source.py), dimensions (d0 …), id and tie of a group as in spend.sql, rank (the measure).
-- Parameters: max_rows, and those of the source.
-- Result: the total first (is_total = 1) with `steps`, then the groups by rank, largest first, with their id.
SELECT
    grouping(d0) AS is_total,
    uniqExact(source.time) AS steps,
    $id AS id,
    $tie AS tie,
    sum(source.$rank) AS size,
    sum(source.calls) AS calls
FROM $source AS source
GROUP BY GROUPING SETS (($dimensions), ())
ORDER BY is_total DESC, size DESC, calls DESC, tie
LIMIT {max_rows:UInt64}
