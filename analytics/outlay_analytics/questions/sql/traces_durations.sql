-- Question: how long did the whole traces take that have matching calls?
-- Fragments: filters (conditions on c). Parameters: project, start_ns and end_ns (Unix nanoseconds, [start, end)).
-- Result: a join to `t` on trace_id: duration_ns; no row where spans are not there.
LEFT JOIN
(
    WITH
        matching AS
        (
            SELECT DISTINCT c.trace_id
            FROM calls AS c
            WHERE c.project = {project:String}
              AND c.started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')
              AND c.started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')
              AND ($filters)
        ),
        (
            SELECT (min(h.first_hour), addHours(max(h.last_hour), 1))
            FROM trace_hours AS h
            WHERE h.project = {project:String} AND h.trace_id IN (SELECT trace_id FROM matching)
        ) AS hours
    SELECT
        s.trace_id AS trace_id,
        max(toUnixTimestamp64Nano(s.started_at) + toInt64(s.duration_ns)) - min(toUnixTimestamp64Nano(s.started_at))
            AS duration_ns
    FROM spans AS s
    WHERE s.project = {project:String}
      AND s.started_at >= hours.1
      AND s.started_at < hours.2
      AND s.trace_id IN (SELECT trace_id FROM matching)
    GROUP BY s.trace_id
) AS shapes ON shapes.trace_id = t.trace_id
