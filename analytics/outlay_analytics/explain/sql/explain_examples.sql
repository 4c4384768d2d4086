-- Question: which traces of a window show a change best, by one measure?
-- Fragments: filters, condition (which calls), measure (what counts).
-- Parameters: project String; start, end String; max_rows UInt32. Result: trace_id.
SELECT c.trace_id AS trace_id
FROM calls AS c FINAL
WHERE c.project = {project:String}
    AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
    AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
    AND ($filters)
    AND ($condition)
GROUP BY c.trace_id
ORDER BY $measure DESC, trace_id
LIMIT {max_rows:UInt32}
