-- Write which spans speak of which response, so that other traces with the same response are found, with tombstones.
INSERT INTO response_ids
WITH
written AS (
    SELECT project, trace_id
    FROM settle_traces
    WHERE write
),
spoken AS (
    SELECT
        project,
        trace_id,
        span_id,
        response_id,
        started_at - toIntervalMicrosecond(toInt64(ifNull(tail_s, 0) * 1000000)) AS began_at,
        started_at + toIntervalNanosecond(duration_ns) AS ended_at,
        rank,
        $fingerprint AS fingerprint,
        if(parent_span_id = '', $stream, '') AS stream
    FROM settle_spans
    WHERE usage_role > 0 AND NOT cached AND (project, trace_id) IN (SELECT project, trace_id FROM written)
),
-- Stand-ins for ids are common ones: with the minute in the key a look-up reads no more than that minute's.
found AS (
    SELECT
        project,
        arrayJoin(arrayFilter(x -> x != '', [
            response_id,
            if(fingerprint = '', '', concat(fingerprint, '@', toString(toUnixTimestamp(toStartOfMinute(began_at))))),
            if(stream = '', '', concat(stream, '@', toString(toUnixTimestamp(toStartOfMinute(began_at)))))
        ])) AS response_id,
        trace_id,
        span_id,
        began_at AS started_at,
        ended_at,
        rank
    FROM spoken
)
SELECT
    *,
    {version:UInt64} AS version,
    0 AS is_deleted
FROM found
-- What is no more:
UNION ALL
SELECT
    * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM settle_known_ids
WHERE (project, response_id, trace_id, span_id) NOT IN (SELECT project, response_id, trace_id, span_id FROM found)
    AND (project, trace_id) IN (SELECT project, trace_id FROM written)
