-- Relation: the answers that were scored: one row per score, with what it is about.
-- A score of a call, or of the span right above calls, is about that call (the last of several). One of a whole trace, or
-- of another span, is about the trace's answer: its last call that went well, and was taken where it is a cascade's. A judge's
-- call is no answer.
-- Fragments: own (a tuple of whatever else of an answer's call is wanted, on c) and own_type, calls (a condition on c: all calls of
-- the traces), given (a condition on scores). Parameters: project, those of the fragments.
-- Result: trace_id, name, about (the span that was scored); span_id, n, at, own: of the answer; value, label;
-- cost_usd: of the call, of all attempts of its cascade's run, or for a score of the trace of all its calls; None where one of
-- them is unknown; paid_for, paid_part, paid_calls: what that is the cost of, as a hash, as text within the trace, as a count.
SELECT
    trace_id,
    name,
    about,
    answer.span AS span_id,
    answer.n AS n,
    answer.at AS at,
    answer.own AS own,
    if(isFinite(given) AND abs(given) <= 1e15, given, NULL) AS value,
    label,
    arrayFilter(one -> if(is_near, if(answer.run = '', one.n = answer.n AND one.span = answer.span, one.run = answer.run), true), parts)
        AS paid,
    multiIf(NOT is_near, '', answer.run != '', answer.run, concat(answer.span, ' ', toString(answer.n))) AS paid_part,
    reinterpretAsUInt128(sipHash128(trace_id, paid_part)) AS paid_for,
    toUInt32(length(paid)) AS paid_calls,
    if(arrayExists(one -> isNull(one.cost), paid), NULL, arraySum(one -> ifNull(one.cost, 0), paid)) AS cost_usd
FROM
(
    SELECT
        t.trace_id AS trace_id,
        s.name AS name,
        s.about AS about,
        s.given AS given,
        s.label AS label,
        t.parts AS parts,
        arrayLastIndex(one -> one.span = about, parts) AS at_call,
        if(at_call > 0, at_call, arrayLastIndex(one -> one.parent = about AND about != '' AND NOT one.judges, parts)) AS near,
        near > 0 AS is_near,
        arrayLastIndex(one -> one.went_well, parts) AS last_good,
        parts[multiIf(is_near, near, last_good > 0, last_good, length(parts))] AS answer
    FROM
    (
        SELECT
            c.trace_id AS trace_id,
            arraySort(
                one -> (one.at, one.span, one.n),
                groupArray(
                    CAST(
                        (
                            c.started_at,
                            c.span_id,
                            c.n,
                            c.parent_span_id,
                            c.status != 'error' AND c.cascade_judge = 0 AND (
                                c.cascade_outcome IN ('', 'accepted') OR (c.cascade_forced > 0 AND c.cascade_outcome != 'failed')
                            ),
                            c.cascade_judge > 0,
                            c.cascade_run_id,
                            c.cost_usd,
                            $own
                        ),
                        'Tuple(at DateTime64(9, \'UTC\'), span String, n UInt16, parent String, went_well Bool, judges Bool, run String, cost Nullable(Decimal(38, 12)), own $own_type)'
                    )
                )
            ) AS parts
        FROM calls AS c FINAL
        WHERE c.project = {project:String}
          AND $calls
        GROUP BY trace_id
    ) AS t
    INNER JOIN
    (
        SELECT trace_id, span_id AS about, toString(name) AS name, value AS given, label
        FROM scores FINAL
        WHERE $given
    ) AS s ON t.trace_id = s.trace_id
)
