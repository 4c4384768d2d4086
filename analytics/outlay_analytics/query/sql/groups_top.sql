-- Question: which groups of a window are the largest?
-- Fragments: source (see spend_source.py), dimensions (d0 …), id of a group (see groups.py), rank (the measure).
-- Parameters: max_rows, and those of the source.
-- Result: id, by rank, largest first; groups of the same size by name.
SELECT
    $id AS id,
    sum(source.$rank) AS size,
    sum(source.calls) AS calls
FROM $source AS source
GROUP BY $dimensions
ORDER BY size DESC, calls DESC, $dimensions
LIMIT {max_rows:UInt64}
