-- Question: which calls come next in the order of a measure?
-- Fragments: value (the measure), filters (conditions on c), after (condition on the place, or 1), direction.
-- Parameters: project, start_ns and end_ns (Unix nanoseconds, [start, end)), limit, after_* when `after` reads them.
-- Result: keys in order, those without a value last: started_ns, trace_id, span_id, n, sort_value.
SELECT
    toUnixTimestamp64Nano(c.started_at) AS started_ns,
    c.trace_id AS trace_id,
    c.span_id AS span_id,
    c.n AS n,
    $value AS sort_value
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
  AND c.started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
  AND ($filters)
  AND $after
ORDER BY isNull(sort_value), sort_value $direction, started_ns $direction, trace_id $direction, span_id $direction, n $direction
LIMIT {limit:UInt64}
