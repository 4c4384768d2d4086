-- Question: what was scored about these traces and their spans?
-- Parameters: project, traces.
-- Result: one row per score; span_id is empty for one about the whole trace.
SELECT
    trace_id,
    span_id,
    name,
    value,
    label
FROM scores FINAL
WHERE project = {project:String}
  AND trace_id IN {traces:Array(String)}
ORDER BY trace_id, span_id, name
LIMIT 100000
