-- Other traces that speak of the responses which the traces of this round speak of, or spoke of when they were settled
-- last: only where the spans overlap (5 s), or an id repeated all day by a gateway would pull in the whole day.
INSERT INTO settle_traces
WITH
spoken AS (
    SELECT
        project,
        arrayJoin(arrayFilter(x -> x != '', [response_id, $fingerprint, if(parent_span_id = '', $stream, '')])) AS response_id,
        min(started_at - toIntervalMicrosecond(toInt64(ifNull(tail_s, 0) * 1000000))) AS began_at,
        max(started_at + toIntervalNanosecond(duration_ns)) AS ended_at
    FROM settle_spans
    WHERE usage_role > 0 AND NOT cached
        AND (project, trace_id) IN (SELECT project, trace_id FROM settle_traces WHERE round = {round:UInt8})
    GROUP BY project, response_id
    UNION ALL
    SELECT
        project,
        response_id,
        min(started_at) AS began_at,
        max(ended_at) AS ended_at
    FROM settle_known_ids
    GROUP BY project, response_id
)
SELECT DISTINCT
    r.project AS project,
    r.trace_id AS trace_id,
    {write:UInt8} AS write,
    {round:UInt8} + 1 AS round
FROM
(
    SELECT project, response_id, trace_id, started_at, ended_at
    FROM response_ids FINAL
    WHERE (project, response_id) IN (SELECT project, response_id FROM spoken)
) AS r
INNER JOIN spoken AS s ON r.project = s.project AND r.response_id = s.response_id
WHERE r.started_at <= s.ended_at + toIntervalSecond(5) AND s.began_at <= r.ended_at + toIntervalSecond(5)
    AND (r.project, r.trace_id) NOT IN (SELECT project, trace_id FROM settle_traces)
