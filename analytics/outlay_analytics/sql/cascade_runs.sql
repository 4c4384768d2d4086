-- Question: how did the runs of each cascade go, and what would the top tier alone have cost?
-- Fragments: attempts (see cascade_attempts.sql). Parameters: those of the attempts; cascades and tops: the number of
-- each cascade's top tier; max_rows.
-- Result: one row per time and cascade: runs, escalated and accepted ones; calls, priced calls; cost, cost of what was
-- not accepted; cost of the top tier's attempts (each run that has some); of the other runs the tokens of the first
-- attempt by part, and how many of those runs nobody counted tokens for.
SELECT
    time,
    cascade,
    count() AS runs,
    countIf(run_top > 0) AS escalated_runs,
    countIf(run_accepted) AS accepted_runs,
    sum(run_calls) AS calls,
    sum(run_priced) AS priced_calls,
    sum(run_cost) AS cost_usd,
    sum(run_wasted) AS wasted_usd,
    countIf(run_at_top AND run_top_priced) AS top_runs,
    countIf(run_at_top AND NOT run_top_priced) AS unpriced_top_runs,
    sumIf(run_top_cost, run_at_top) AS top_usd,
    countIf(NOT run_at_top AND run_counted) AS repriced_runs,
    countIf(NOT run_at_top AND NOT run_counted) AS unknown_runs,
    sumIf(first.1, NOT run_at_top) AS first_input,
    sumIf(first.2, NOT run_at_top) AS first_read,
    sumIf(first.3, NOT run_at_top) AS first_write,
    sumIf(first.4, NOT run_at_top) AS first_write_1h,
    sumIf(first.5, NOT run_at_top) AS first_output
FROM
(
    SELECT
        time,
        cascade,
        run,
        max(tier) AS run_top,
        max(outcome = 'accepted') AS run_accepted,
        sum(calls) AS run_calls,
        sum(priced_calls) AS run_priced,
        sum(cost_usd) AS run_cost,
        sumIf(cost_usd, outcome != 'accepted') AS run_wasted,
        run_top = transform(cascade, {cascades:Array(String)}, {tops:Array(UInt16)}, toUInt16(0)) AS run_at_top,
        sumIf(cost_usd, tier = run_tier) AS run_top_cost,
        sumIf(priced_calls, tier = run_tier) > 0 AS run_top_priced,
        argMin((input_tokens, read_tokens, write_tokens, write_1h_tokens, output_tokens), (tier, started_at)) AS first,
        argMin(counted_calls > 0, (tier, started_at)) AS run_counted
    FROM ($attempts) AS attempts
    GROUP BY time, cascade, run
)
GROUP BY time, cascade
ORDER BY time DESC, cost_usd DESC, cascade
LIMIT {max_rows:UInt64}
