-- Question: which calls come next, newest first?
-- Fragments: filters (conditions on c), after (condition on the key, or 1).
-- Parameters: project, start_ns and end_ns (Unix nanoseconds, [start, end)), limit, cursor_* when `after` reads them.
-- Result: keys in order: started_ns, trace_id, span_id, n; and the version of each.
SELECT
    toUnixTimestamp64Nano(c.started_at) AS started_ns,
    c.trace_id AS trace_id,
    c.span_id AS span_id,
    c.n AS n,
    c.version AS version
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
  AND c.started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
  AND ($filters)
  AND $after
ORDER BY started_ns DESC, trace_id DESC, span_id DESC, n DESC
LIMIT {limit:UInt64}
