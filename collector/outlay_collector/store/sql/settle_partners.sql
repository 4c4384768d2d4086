-- Spans of other traces, and of the unread parts of giant ones, that speak of the responses which the traces of this round
-- speak of, or spoke of when they were settled last: only where the spans overlap (5 s), or an id repeated all day by a gateway would pull in the whole day.
INSERT INTO settle_partners
WITH
spans_of_round AS (
    SELECT
        began_at,
        ended_at,
        response_key,
        arrayFilter(x -> x != 0, [fingerprint, if(parent_span_id = '', stream, 0)]) AS stand_ins,
        toInt64(intDiv(toUnixTimestamp(began_at), 60)) AS minute
    FROM settle_spans
    WHERE usage_role > 0 AND NOT cached
        AND trace IN (SELECT trace FROM settle_traces WHERE round = {round:UInt8})
),
spoken AS (
    SELECT
        arrayJoin(arrayConcat(
            if(response_key = 0, [], [response_key]),
            arrayMap(x -> sipHash64(x, minute - 1), stand_ins),
            arrayMap(x -> sipHash64(x, minute), stand_ins),
            arrayMap(x -> sipHash64(x, minute + 1), stand_ins)
        )) AS key,
        began_at,
        ended_at
    FROM spans_of_round
    UNION ALL
    SELECT
        key,
        started_at AS began_at,
        ended_at
    FROM settle_known_ids
),
-- One stretch per key and quarter of a minute: many equal keys of one moment are looked up once.
stretches AS (
    SELECT
        key,
        min(k.began_at) AS began_at,
        max(k.ended_at) AS ended_at
    FROM spoken AS k
    GROUP BY key, toUnixTimestamp(k.began_at) DIV 15
)
SELECT DISTINCT
    r.project AS project,
    r.trace_id AS trace_id,
    r.span_id AS span_id,
    {round:UInt8} + 1 AS round
FROM stretches AS s
INNER JOIN
(
    SELECT key, project, trace_id, span_id, started_at, ended_at
    FROM response_ids FINAL
    WHERE hour IN (SELECT arrayJoin($hours) FROM spoken) AND key IN (SELECT key FROM spoken)
) AS r ON s.key = r.key
WHERE r.started_at <= s.ended_at + toIntervalSecond(5) AND s.began_at <= r.ended_at + toIntervalSecond(5)
    AND bitXor(sipHash64(r.project, r.trace_id), sipHash64(r.span_id)) NOT IN (SELECT id FROM settle_spans)
