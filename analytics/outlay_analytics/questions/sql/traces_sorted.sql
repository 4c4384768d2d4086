-- Question: which traces come next in the order of a measure?
-- Fragments: value (the measure, of t or with duration_ns), shapes (join of how long whole traces took, or nothing),
-- filters (conditions on c), after (condition on the place, or 1), direction.
-- Parameters: project, start_ns and end_ns (Unix nanoseconds, [start, end)), limit, after_* when `after` reads them.
-- Result: started_ns (first matching call), trace_id and sort_value in order, those without a value last.
SELECT
    t.started_ns AS started_ns,
    t.trace_id AS trace_id,
    $value AS sort_value
FROM
(
    SELECT
        c.trace_id AS trace_id,
        min(toUnixTimestamp64Nano(c.started_at)) AS started_ns,
        max(toUnixTimestamp64Nano(c.started_at) + toInt64(c.duration_ns)) AS ended_ns,
        if(count(c.cost_usd) > 0, sum(c.cost_usd), NULL) AS cost_usd,
        sum(c.input_tokens) AS input_tokens,
        sum(c.output_tokens) AS output_tokens
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
      AND c.started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
      AND ($filters)
    GROUP BY c.trace_id
) AS t
$shapes
WHERE $after
ORDER BY isNull(sort_value), sort_value $direction, started_ns $direction, trace_id $direction
LIMIT {limit:UInt64}
