-- Question: which other spans speak of the same requests?
-- Parameters: project, traces, from and until (Unix seconds of hours), spans (of the calls).
-- Result: span_id repeats the call of_trace_id:of_span_id.
SELECT
    r.trace_id AS trace_id,
    r.span_id AS span_id,
    r.of_trace_id AS of_trace_id,
    r.of_span_id AS of_span_id
FROM repeats AS r FINAL
WHERE r.project = {project:String}
  AND r.started_at >= toDateTime({from:UInt32}, 'UTC')
  AND r.started_at < toDateTime({until:UInt32}, 'UTC')
  AND r.trace_id IN {traces:Array(String)}
  AND r.of_span_id IN {spans:Array(String)}
LIMIT 100000
