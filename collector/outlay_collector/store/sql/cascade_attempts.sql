-- The attempts of cascades, one row each, knowing their run.
-- Fragments: time (start of the interval that `run_started` lies in), parts (a relation of cascade_parts.sql with `own`).
-- Parameters: those of the parts.
-- Result: cascade, run (hashed), time, run_tier (its highest), first (the run's lowest attempt, once a run),
-- run_accepted, run_forced (not accepted, and said to have been taken all the same), run_priced (every call of the run), run_counted (its first attempt knows its tokens); tier, model (of the
-- first call), accepted (where nobody said, the last attempt of a run is accepted unless it failed), confidence,
-- duration, calls, cost, tokens by part, what is known of rates, own.
-- Attempts are put in order by a number, since ClickHouse compares tuples ten times as slowly.
SELECT
    cascade,
    run,
    $time AS time,
    run_tier,
    attempt.1 = run_first AS first,
    run_accepted,
    run_forced AND NOT run_accepted AS run_forced,
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
    attempt.12 AS rate_tokens,
    attempt.13 AS rate_usd,
    attempt.14 AS rate_at,
    attempt.15 AS rate_of,
    attempt.16 AS own
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
        max(forced) AS run_forced,
        groupArray((
            place, tier, first_model, said, failed, confidence, duration, calls, priced_calls, cost_usd, tokens,
            rate_tokens, rate_usd, rate_at, rate_of, own
        )) AS attempts
    FROM
    (
        SELECT
            *,
            bitShiftLeft(toUInt128(tier), 112) + bitShiftLeft(toUInt128(toUnixTimestamp64Nano(started_at)), 48)
                + bitShiftRight(sipHash64(said, ifNull(confidence, -1)), 16) AS place,
            ended_ns - toUnixTimestamp64Nano(started_at) AS duration
        FROM ($parts)
    )
    GROUP BY cascade, run
)
ARRAY JOIN attempts AS attempt
