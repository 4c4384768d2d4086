-- The attempts of cascades, one row each: the calls of a run that share tier, outcome and confidence belong together,
-- since the attributes may sit on one span around several calls.
-- Fragments: time (start of the interval that `run_started` lies in), filters, own (a further column of the attempt).
-- Parameters: project, start, end, name (one cascade, or empty for all).
-- Result: cascade, run (hashed), time, run_tier (its highest), first (the run's lowest attempt, once a run),
-- run_accepted, run_priced (every call of the run), run_counted (its first attempt knows its tokens); tier, model (of the
-- first call), accepted (where nobody said, the last attempt of a run is accepted unless it failed), confidence,
-- duration, calls, cost, tokens by part, own.
-- Attempts are put in order by a number, since ClickHouse compares tuples ten times as slowly.
SELECT
    cascade,
    run,
    $time AS time,
    run_tier,
    attempt.1 = run_first AS first,
    run_accepted,
    run_priced,
    run_counted,
    attempt.2 AS tier,
    attempt.3 AS model,
    attempt.4 = 'accepted' OR (attempt.4 = '' AND tier = run_tier AND NOT attempt.5) AS accepted,
    attempt.6 AS confidence,
    attempt.7 AS duration_ns,
    attempt.8 AS calls,
    attempt.9 AS priced_calls,
    attempt.10 AS cost_usd,
    attempt.11 AS tokens,
    attempt.12 AS own
FROM
(
    SELECT
        cascade,
        run,
        min(started_at) AS run_started,
        max(tier) AS run_tier,
        sum(priced_calls) = sum(calls) AS run_priced,
        min(place) AS run_first,
        argMin(counted, place) AS run_counted,
        max(said = 'accepted') OR max(tier * 2 + (said = '' AND NOT failed)) % 2 = 1 AS run_accepted,
        groupArray((
            place, tier, first_model, said, failed, confidence, duration_ns, calls, priced_calls, cost_usd, tokens, own
        )) AS attempts
    FROM
    (
        SELECT
            c.cascade_name AS cascade,
            sipHash128(c.cascade_name, if(c.cascade_run_id = '', c.trace_id, c.cascade_run_id)) AS run,
            toUInt16(ifNull(c.cascade_tier, 0)) AS tier,
            c.cascade_outcome AS said,
            c.cascade_confidence AS confidence,
            argMin(c.model, c.started_at) AS first_model,
            min(c.started_at) AS started_at,
            bitShiftLeft(toUInt128(tier), 112) + bitShiftLeft(toUInt128(toUnixTimestamp64Nano(started_at)), 48)
                + bitShiftRight(sipHash64(said, ifNull(confidence, -1)), 16) AS place,
            max(toUnixTimestamp64Nano(c.started_at) + toInt64(c.duration_ns))
                - toUnixTimestamp64Nano(started_at) AS duration_ns,
            argMax(c.status = 'error', c.started_at) AS failed,
            count() AS calls,
            count(c.cost_usd) AS priced_calls,
            sum(ifNull(c.cost_usd, toDecimal128(0, 12))) AS cost_usd,
            countIf(isNotNull(c.input_tokens) OR isNotNull(c.output_tokens)) > 0 AS counted,
            (
                sum(ifNull(c.input_tokens, 0)),
                sum(ifNull(c.cache_read_tokens, 0)),
                sum(ifNull(c.cache_write_tokens, 0)),
                sum(ifNull(c.cache_write_1h_tokens, 0)),
                sum(ifNull(c.output_tokens, 0))
            ) AS tokens,
            $own AS own
        FROM calls AS c FINAL
        WHERE c.project = {project:String}
          AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
          AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
          AND c.cascade_name != ''
          AND ({name:String} = '' OR c.cascade_name = {name:String})
          AND ($filters)
        GROUP BY c.cascade_name, run, tier, said, confidence
    )
    GROUP BY cascade, run
)
ARRAY JOIN attempts AS attempt
