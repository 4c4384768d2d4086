-- Question: which spans of one trace repeat a call, and which looked into the application's own cache?
-- Fragments: hours (condition on s.started_at).
-- Parameters: project, trace_id.
-- Result: one row per such span: span_id; reason, of_trace_id, of_span_id of a repeat; kind (empty at a repeat), hit,
-- similarity, avoided_usd of a lookup.
SELECT
    s.span_id AS span_id,
    s.reason AS reason,
    s.of_trace_id AS of_trace_id,
    s.of_span_id AS of_span_id,
    '' AS kind,
    false AS hit,
    CAST(NULL, 'Nullable(Float64)') AS similarity,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS avoided_usd
FROM repeats AS s FINAL
WHERE s.project = {project:String}
  AND s.trace_id = {trace_id:String}
  AND $hours
LIMIT 100000
UNION ALL
SELECT
    s.span_id,
    '',
    '',
    '',
    s.kind,
    s.hit,
    s.similarity,
    s.avoided_usd
FROM lookups AS s FINAL
WHERE s.project = {project:String}
  AND s.trace_id = {trace_id:String}
  AND $hours
LIMIT 100000
