-- Question: which calls follow a key, hour by hour in the order in which they are stored?
-- Fragments: filters. Parameters: project, start, end, after_hour, after_trace, after_span, after_n, limit, those of the fragment.
-- Result: keys of calls.
SELECT
    toUnixTimestamp64Nano(c.started_at) AS started_ns,
    c.trace_id AS trace_id,
    c.span_id AS span_id,
    c.n AS n
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND toStartOfHour(c.started_at) >= toDateTime({after_hour:UInt32}, 'UTC')
  AND (toUnixTimestamp(toStartOfHour(c.started_at)), c.trace_id, c.span_id, c.n)
    > ({after_hour:UInt32}, {after_trace:String}, {after_span:String}, {after_n:UInt16})
  AND ($filters)
ORDER BY toStartOfHour(c.started_at), c.trace_id, c.span_id, c.n
LIMIT {limit:UInt64}
