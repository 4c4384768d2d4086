-- What response_ids holds for the traces of a round, found through their calls and repeats.
INSERT INTO settle_known_ids
SELECT *
FROM response_ids FINAL
WHERE (project, response_id) IN
(
    SELECT project, response_id
    FROM calls
    WHERE response_id != '' AND (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8})
    UNION ALL
    SELECT project, response_id
    FROM repeats
    WHERE response_id != '' AND (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8})
)
AND (project, trace_id) IN (SELECT project, trace_id FROM settle_traces WHERE round = {round:UInt8})
