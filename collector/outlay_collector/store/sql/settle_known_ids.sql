-- What response_ids holds for the spans that were read, found through their calls and repeats.
INSERT INTO settle_known_ids
SELECT *
FROM response_ids FINAL
WHERE key IN
(
    SELECT sipHash64(concat(project, '\0', response_id))
    FROM calls
    WHERE response_id != '' AND (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
    UNION ALL
    SELECT sipHash64(concat(project, '\0', response_id))
    FROM repeats
    WHERE response_id != '' AND (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
)
AND hour >= (SELECT min(hour) FROM settle_hours) - toIntervalHour(24) AND hour <= (SELECT max(hour) FROM settle_hours) + toIntervalHour(72)
AND bitXor(sipHash64(project, trace_id), sipHash64(span_id)) IN (SELECT id FROM settle_spans)
AND bitXor(sipHash64(project, trace_id), sipHash64(span_id)) NOT IN (SELECT bitXor(sipHash64(project, trace_id), sipHash64(span_id)) FROM settle_known_ids)
