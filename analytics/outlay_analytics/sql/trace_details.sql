-- Question: what did the spans of a trace carry?
-- Fragments: hours (condition on s.started_at).
-- Parameters: project, trace_id, max_chars (longer values are cut).
-- Result: span_id, attributes, resource_attributes, texts, events.
SELECT
    s.span_id AS span_id,
    mapApply((k, v) -> (k, substringUTF8(v, 1, {max_chars:UInt64})), s.attributes) AS attributes,
    s.resource_attributes AS resource_attributes,
    mapApply((k, v) -> (k, substringUTF8(v, 1, {max_chars:UInt64})), s.texts) AS texts,
    arrayMap(e -> (e.at, e.name, e.attributes), arraySlice(s.events, 1, 100)) AS events
FROM spans AS s FINAL
PREWHERE s.project = {project:String}
  AND s.trace_id = {trace_id:String}
  AND $hours
ORDER BY s.version DESC
LIMIT 1 BY s.span_id
