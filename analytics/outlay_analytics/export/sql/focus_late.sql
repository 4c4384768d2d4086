-- Condition on c: its span was received after the books of its month were closed.
-- Parameters: project, start, end. Where the span is not kept any more, nothing tells, and the call is taken to be in time.
(c.trace_id, c.span_id) IN
(
    SELECT s.trace_id, s.span_id
    FROM spans AS s
    INNER JOIN
    (
        SELECT month, closed_at
        FROM closed_months FINAL
        WHERE project = {project:String}
    ) AS m ON toStartOfMonth(s.started_at, 'UTC') = m.month
    WHERE s.project = {project:String}
      AND s.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND s.started_at < toDateTime64({end:String}, 9, 'UTC')
    GROUP BY s.trace_id, s.span_id
    HAVING min(s.received_at) > max(m.closed_at)
)
