-- Question: which values of a dimension did calls of a window have?
-- Fragments: source (see spend_source.py) with d0 the dimension. Parameters: those of the source, and most.
-- Result: value; those of most calls first.
SELECT d0 AS value
FROM $source AS source
GROUP BY value
ORDER BY sum(source.calls) DESC
LIMIT {most:UInt32}
