-- Question: how long are these traces, and what are they called?
-- Parameters: project, traces, from and until (Unix seconds of hours).
-- Result: one row per trace: spans, start and end in Unix nanoseconds, name and service of the root or earliest span.
SELECT
    s.trace_id AS trace_id,
    uniqExact(s.span_id) AS spans,
    min(toUnixTimestamp64Nano(s.started_at)) AS started_ns,
    max(toUnixTimestamp64Nano(s.started_at) + toInt64(s.duration_ns)) AS ended_ns,
    argMin([s.name, toString(s.service)], (s.parent_span_id != '', s.started_at, s.span_id)) AS root
FROM spans AS s
WHERE s.project = {project:String}
  AND s.started_at >= toDateTime({from:UInt32}, 'UTC')
  AND s.started_at < toDateTime({until:UInt32}, 'UTC')
  AND s.trace_id IN {traces:Array(String)}
GROUP BY s.trace_id
