-- Question: what did the calls of these traces cost, of those in the window that match?
-- Fragments: filters (conditions on c).
-- Parameters: project, traces, start_ns and end_ns (Unix nanoseconds, [start, end)).
-- Result: one row per trace: counts, cost_usd over priced calls, names of the first call; ends in Unix nanoseconds.
SELECT
    c.trace_id AS trace_id,
    count() AS calls,
    countIf(c.status = 'error') AS errors,
    count(c.cost_usd) AS priced_calls,
    sum(c.cost_usd) AS cost_usd,
    sum(c.input_tokens) AS input_tokens,
    sum(c.output_tokens) AS output_tokens,
    max(toUnixTimestamp64Nano(c.started_at) + toInt64(c.duration_ns)) AS ended_ns,
    argMin([c.name, toString(c.service), toString(c.feature)], (c.started_at, c.span_id)) AS first
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.trace_id IN {traces:Array(String)}
  AND c.started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
  AND c.started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
  AND ($filters)
GROUP BY c.trace_id
