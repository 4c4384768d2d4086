-- The skeleton of giant traces: who is whose parent, when each was and when it came. which says whose.
SELECT
    project,
    trace_id,
    span_id,
    toStartOfHour(started_at) AS hour,
    sipHash64(project, trace_id) AS trace,
    bitXor(trace, sipHash64(span_id)) AS id,
    if(parent_span_id IN ('', span_id), 0, bitXor(trace, sipHash64(parent_span_id))) AS parent_id,
    started_at,
    started_at + toIntervalNanosecond(duration_ns) AS ended_at,
    received_at
FROM spans FINAL
WHERE $which
