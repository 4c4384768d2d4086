-- What earlier runs made of spans: what must be taken back unless it is made again. which says of which.
SELECT 'calls' AS stored, project, trace_id, span_id, started_at, sipHash64(project, trace_id) AS trace,
    bitXor(trace, sipHash64(span_id)) AS id, if(response_id = '', 0, sipHash64(concat(project, '\0', response_id))) AS response_key
FROM calls FINAL
WHERE $which
UNION ALL
SELECT 'repeats' AS stored, project, trace_id, span_id, started_at, sipHash64(project, trace_id) AS trace,
    bitXor(trace, sipHash64(span_id)) AS id, if(response_id = '', 0, sipHash64(concat(project, '\0', response_id))) AS response_key
FROM repeats FINAL
WHERE $which
UNION ALL
SELECT 'lookups' AS stored, project, trace_id, span_id, started_at, sipHash64(project, trace_id) AS trace,
    bitXor(trace, sipHash64(span_id)) AS id, 0 AS response_key
FROM lookups FINAL
WHERE $which
