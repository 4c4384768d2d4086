-- Question: which spans of one trace repeat a call, and which one?
-- Fragments: hours (condition on started_at).
-- Parameters: project, trace_id.
-- Result: one row per repeating span.
SELECT
    s.span_id AS span_id,
    s.reason AS reason,
    s.of_trace_id AS of_trace_id,
    s.of_span_id AS of_span_id,
    s.dialect AS dialect
FROM repeats AS s FINAL
WHERE s.project = {project:String}
  AND s.trace_id = {trace_id:String}
  AND $hours
LIMIT 100000
