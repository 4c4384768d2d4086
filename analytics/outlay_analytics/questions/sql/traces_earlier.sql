-- Question: which of these traces have a call before the piece of the window, and belong further down the list?
-- Fragments: filters (conditions on c).
-- Parameters: project, traces, from_ns and start_ns (Unix nanoseconds, [from, start)).
-- Result: trace_id.
SELECT DISTINCT c.trace_id AS trace_id
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.trace_id IN {traces:Array(String)}
  AND c.started_at >= fromUnixTimestamp64Nano({from_ns:Int64}, 'UTC')
  AND c.started_at < fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
  AND ($filters)
