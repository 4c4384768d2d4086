-- Which spans are noted as speaking of certain responses: keys and hours say of which, and when.
SELECT
    hour,
    key,
    project,
    trace_id,
    span_id,
    started_at,
    ended_at,
    sipHash64(project, trace_id) AS trace,
    bitXor(trace, sipHash64(span_id)) AS id
FROM response_ids FINAL
WHERE $hours AND $keys
