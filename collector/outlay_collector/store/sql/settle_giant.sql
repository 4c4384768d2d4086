-- The skeleton of giant traces: who is whose parent, and when it came.
INSERT INTO settle_giant
SELECT
    project,
    toStartOfHour(started_at) AS hour,
    trace_id,
    span_id,
    bitXor(sipHash64(project, trace_id), sipHash64(span_id)) AS id,
    if(parent_span_id IN ('', span_id), 0, bitXor(sipHash64(project, trace_id), sipHash64(parent_span_id))) AS pid,
    received_at
FROM spans FINAL
WHERE (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8} AND giant)
