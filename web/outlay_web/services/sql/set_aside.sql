-- Question: which traces cannot be settled? Their calls may be missing from every figure.
-- Fragments: only (condition). Parameters: max_rows, those of `only`.
-- Result: project, trace_id, reason and at, the newest first, with how many there are as `traces`.
SELECT project, trace_id, reason, at, count() OVER () AS traces
FROM unsettled_traces FINAL
WHERE $only
ORDER BY at DESC, project, trace_id
LIMIT {max_rows:UInt64}
