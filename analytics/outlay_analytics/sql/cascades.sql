-- Question: how did the runs of each cascade go, and what did each tier and model do?
-- Fragments: attempts (see cascade_attempts.sql), whole (further grouping sets). Parameters: those of the attempts, max_rows.
-- Result: two kinds of rows. of_tiers = 1: one per time, cascade, tier and model: attempts, accepted, priced_attempts,
-- cost, p95 of their durations. of_tiers = 0: one per time, cascade and highest tier of a run: runs,
-- accepted runs, calls, cost, cost of what was not accepted; of the runs whose every call is priced: how many, how many of
-- them know the tokens of their first attempt, and of these the cost and those tokens by part (input, read, write,
-- write 1 h, output; input and writes as counted, with their parts); their cost at that tier. of_whole = 1: not by time.
SELECT
    time,
    cascade,
    run_tier,
    tier,
    model,
    grouping(run_tier) AS of_tiers,
    grouping(time) AS of_whole,
    count() AS attempts,
    countIf(accepted) AS accepted_attempts,
    countIf(priced_calls > 0) AS priced_attempts,
    sum(cost_usd) AS usd,
    quantileExactInclusive(0.95)(duration_ns) / 1e6 AS p95_ms,
    countIf(first) AS runs,
    countIf(first AND run_accepted) AS accepted_runs,
    sum(calls) AS all_calls,
    sum(priced_calls) AS all_priced,
    sumIf(cost_usd, NOT accepted) AS wasted_usd,
    countIf(first AND run_priced) AS priced_runs,
    sumIf(cost_usd, run_priced) AS priced_runs_usd,
    sumIf(cost_usd, run_priced AND tier = run_tier) AS last_usd,
    countIf(first AND run_priced AND run_counted) AS counted_runs,
    sumIf(cost_usd, run_priced AND run_counted) AS counted_runs_usd,
    tuple(
        sumIf(tokens.1, first AND run_priced),
        sumIf(tokens.2, first AND run_priced),
        sumIf(tokens.3, first AND run_priced),
        sumIf(tokens.4, first AND run_priced),
        sumIf(tokens.5, first AND run_priced)
    ) AS first_tokens
FROM ($attempts) AS attempts
GROUP BY GROUPING SETS ((time, cascade, tier, model), (time, cascade, run_tier)$whole)
ORDER BY of_whole, time DESC, cascade, tier, model, run_tier
LIMIT {max_rows:UInt64}
