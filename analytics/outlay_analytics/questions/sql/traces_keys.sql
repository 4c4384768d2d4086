-- Question: which traces have their first call in this piece of the window, newest first?
-- Fragments: filters (conditions on c), after (condition on started_ns and trace_id, or 1).
-- Parameters: project, start_ns and end_ns (Unix nanoseconds, [start, end)), limit, cursor_*.
-- Result: started_ns (first call of the trace in the piece) and trace_id, in order.
SELECT
    min(toUnixTimestamp64Nano(c.started_at)) AS started_ns,
    c.trace_id AS trace_id
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
  AND c.started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
  AND ($filters)
GROUP BY c.trace_id
HAVING $after
ORDER BY started_ns DESC, trace_id DESC
LIMIT {limit:UInt64}
