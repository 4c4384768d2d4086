-- What the traces of this round speak of, or spoke of when they were settled last: response ids, and what stands in for one.
-- One stretch per key and quarter of a minute: many equal keys of one moment are looked up once.
INSERT INTO settle_keys
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
            arrayFlatten(arrayMap(x -> [sipHash64(x, minute - 1), sipHash64(x, minute), sipHash64(x, minute + 1)], stand_ins))
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
)
SELECT
    key,
    min(k.began_at) AS began_at,
    max(k.ended_at) AS ended_at,
    $hours AS hours
FROM spoken AS k
GROUP BY key, toUnixTimestamp(k.began_at) DIV 15
