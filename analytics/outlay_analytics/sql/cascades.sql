-- Question: how did the runs of each cascade go, and what did each tier and model do?
-- Fragments: attempts (see cascade_attempts.sql). Parameters: those of the attempts, max_rows.
-- Result: two kinds of rows. of_tiers = 1: one per time, cascade, tier and model: attempts, accepted, priced_attempts,
-- cost, p95 of their durations; tokens and lines of priced attempts by part (input, read, write, write 1 h, output;
-- input and writes as counted, with their parts). of_tiers = 0: one per time, cascade and highest tier of a run: runs,
-- accepted runs, calls, cost, cost of what was not accepted; of the runs whose every call is priced: how many, how many of
-- them know the tokens of their first attempt, and of these the cost and those tokens by part; their cost at that tier.
SELECT
    time,
    cascade,
    run_tier,
    tier,
    model,
    grouping(run_tier) AS of_tiers,
    count() AS attempts,
    countIf(outcome = 'accepted') AS accepted,
    countIf(priced_calls > 0) AS priced_attempts,
    sum(cost_usd) AS usd,
    quantileExactInclusive(0.95)(duration_ns) / 1e6 AS p95_ms,
    tuple(
        sumIf(tokens.1, priced_calls > 0),
        sumIf(tokens.2, priced_calls > 0),
        sumIf(tokens.3, priced_calls > 0),
        sumIf(tokens.4, priced_calls > 0),
        sumIf(tokens.5, priced_calls > 0)
    ) AS priced_tokens,
    tuple(sum(lines.1), sum(lines.2), sum(lines.3), sum(lines.4), sum(lines.5)) AS priced_usd,
    countIf(first) AS runs,
    countIf(first AND run_accepted) AS accepted_runs,
    sum(calls) AS all_calls,
    sum(priced_calls) AS all_priced,
    sumIf(cost_usd, outcome != 'accepted') AS wasted_usd,
    countIf(first AND run_priced) AS priced_runs,
    sumIf(cost_usd, run_priced) AS priced_runs_usd,
    sumIf(cost_usd, run_priced AND tier = run_tier) AS last_usd,
    countIf(first AND run_priced AND counted) AS counted_runs,
    sumIf(cost_usd, run_priced AND run_counted) AS counted_runs_usd,
    tuple(
        sumIf(tokens.1, first AND run_priced),
        sumIf(tokens.2, first AND run_priced),
        sumIf(tokens.3, first AND run_priced),
        sumIf(tokens.4, first AND run_priced),
        sumIf(tokens.5, first AND run_priced)
    ) AS first_tokens
FROM ($attempts) AS attempts
GROUP BY GROUPING SETS ((time, cascade, tier, model), (time, cascade, run_tier))
ORDER BY time DESC, cascade, tier, model, run_tier
LIMIT {max_rows:UInt64}
