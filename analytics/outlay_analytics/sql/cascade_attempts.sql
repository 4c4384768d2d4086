-- The attempts of cascades, one row each: the calls of a run that share tier, outcome and confidence belong together,
-- since the attributes may sit on one span around several calls.
-- Fragments: time (start of the interval that `run_started` lies in), filters. Parameters: project, start, end, name
-- (one cascade, or empty for all).
-- Result: cascade, run (hashed), time, run_tier (its highest), first (the run's lowest attempt, once a run),
-- run_accepted, run_priced (every call of the run), run_counted (its first attempt knows its tokens); tier, model (of the first call), outcome (accepted, escalated, failed; where nobody said, the last
-- attempt of a run counts as accepted unless it failed), confidence, threshold, cost, tokens and lines by part; trace
-- and spans for scores.
SELECT
    cascade,
    run,
    $time AS time,
    run_tier,
    (attempt.1, attempt.2, attempt.17) = run_first AS first,
    arrayExists(
        one -> one.4 = 'accepted' OR (one.4 = '' AND one.1 = run_tier AND NOT one.5), attempts
    ) AS run_accepted,
    run_priced,
    run_counted,
    attempt.1 AS tier,
    attempt.3 AS model,
    multiIf(
        attempt.4 != '', toString(attempt.4), tier < run_tier, 'escalated', attempt.5, 'failed', 'accepted'
    ) AS outcome,
    attempt.6 AS confidence,
    attempt.7 AS threshold,
    attempt.8 AS duration_ns,
    attempt.9 AS calls,
    attempt.10 AS priced_calls,
    attempt.11 AS cost_usd,
    attempt.12 AS counted,
    attempt.13 AS tokens,
    attempt.14 AS lines,
    attempt.15 AS trace,
    attempt.16 AS spans
FROM
(
    SELECT
        cascade,
        run,
        min(started_at) AS run_started,
        max(tier) AS run_tier,
        sum(priced_calls) = sum(calls) AS run_priced,
        min((tier, started_at, attempt_key)) AS run_first,
        argMin(counted, (tier, started_at, attempt_key)) AS run_counted,
        groupArray((
            tier, started_at, first_model, said, failed, confidence, threshold, duration_ns, calls, priced_calls, cost_usd,
            counted, tokens, lines, trace, spans, attempt_key
        )) AS attempts
    FROM
    (
        SELECT
            c.cascade_name AS cascade,
            sipHash128(c.cascade_name, if(c.cascade_run_id = '', c.trace_id, c.cascade_run_id)) AS run,
            toUInt16(ifNull(c.cascade_tier, 0)) AS tier,
            c.cascade_outcome AS said,
            c.cascade_confidence AS confidence,
            sipHash64(said, ifNull(confidence, -1)) AS attempt_key,
            any(c.cascade_threshold) AS threshold,
            argMin(c.model, c.started_at) AS first_model,
            min(c.started_at) AS started_at,
            max(toUnixTimestamp64Nano(c.started_at) + toInt64(c.duration_ns))
                - toUnixTimestamp64Nano(started_at) AS duration_ns,
            argMax(c.status, c.started_at) = 'error' AS failed,
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
            $lines AS lines,
            $trace AS trace,
            $spans AS spans
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
