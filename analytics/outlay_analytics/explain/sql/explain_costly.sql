-- Question: which values of some dimensions cost much in a window?
-- Fragments: source (see spend_source.py), columns (one list of ids per dimension, `topKWeighted(…) AS d0` …).
-- Parameters: those of the source. Result: one row of lists of ids (see groups.py). Whatever costs more than a 180th of
-- the window is among them (A. Metwally et al., "Efficient computation of frequent and top-k elements", 2005).
SELECT $columns
FROM $source AS source
