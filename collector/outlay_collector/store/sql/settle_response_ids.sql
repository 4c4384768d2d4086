-- Write which spans speak of which response, so that other traces with the same response are found, with tombstones.
INSERT INTO response_ids
WITH
written AS (
    SELECT trace
    FROM settle_traces
    WHERE write
),
spoken AS (
    SELECT
        project,
        trace_id,
        span_id,
        began_at,
        ended_at,
        response_key,
        arrayFilter(x -> x != 0, [fingerprint, if(parent_span_id = '', stream, 0)]) AS stand_ins,
        toInt64(intDiv(toUnixTimestamp(began_at), 60)) AS minute,
        $hours AS hours
    FROM settle_spans
    WHERE usage_role > 0 AND NOT cached AND trace IN (SELECT trace FROM written)
),
-- Stand-ins for ids are common ones: with the minute in the key a look-up reads no more than that minute's.
found AS (
    SELECT
        arrayJoin(hours) AS hour,
        arrayJoin(arrayConcat(if(response_key = 0, [], [response_key]), arrayMap(x -> sipHash64(x, minute), stand_ins))) AS key,
        project,
        trace_id,
        span_id,
        began_at AS started_at,
        ended_at
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
WHERE (hour, key, trace_id, span_id) NOT IN (SELECT hour, key, trace_id, span_id FROM found)
    AND sipHash64(project, trace_id) IN (SELECT trace FROM written)
