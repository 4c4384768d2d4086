-- Whether anything of a round's traces was settled before: only then can a row have to go.
SELECT count() AS n
FROM
(
    SELECT 1
    FROM calls
    WHERE (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8})
    LIMIT 1
    UNION ALL
    SELECT 1
    FROM repeats
    WHERE (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8})
    LIMIT 1
    UNION ALL
    SELECT 1
    FROM lookups
    WHERE (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8})
    LIMIT 1
)
