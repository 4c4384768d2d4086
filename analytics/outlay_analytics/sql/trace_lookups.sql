-- Question: which spans of one trace looked into the application's own cache?
-- Fragments: hours (condition on started_at).
-- Parameters: project, trace_id.
-- Result: one row per lookup.
SELECT
    s.span_id AS span_id,
    s.kind AS kind,
    s.hit AS hit,
    s.similarity AS similarity,
    s.avoided_usd AS avoided_usd
FROM lookups AS s FINAL
WHERE s.project = {project:String}
  AND s.trace_id = {trace_id:String}
  AND $hours
LIMIT 100000
