-- Spans of other traces, and of the unread parts of giant ones, that speak of the same responses: only where the spans
-- overlap (5 s), or an id repeated all day by a gateway would pull in the whole day.
INSERT INTO settle_partners
SELECT DISTINCT
    r.project AS project,
    r.trace_id AS trace_id,
    r.span_id AS span_id,
    {round:UInt8} + 1 AS round
FROM settle_keys AS s
INNER JOIN
(
    SELECT key, project, trace_id, span_id, started_at, ended_at
    FROM response_ids FINAL
    WHERE hour IN (SELECT arrayJoin(hours) FROM settle_keys) AND key IN (SELECT key FROM settle_keys)
) AS r ON s.key = r.key
WHERE r.started_at <= s.ended_at + toIntervalSecond(5) AND s.began_at <= r.ended_at + toIntervalSecond(5)
    AND bitXor(sipHash64(r.project, r.trace_id), sipHash64(r.span_id)) NOT IN (SELECT id FROM settle_spans)
