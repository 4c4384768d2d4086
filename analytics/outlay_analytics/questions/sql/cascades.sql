-- Question: how did the runs of each cascade go, and what did each tier and model do?
-- Fragments: sums (relations of cascade_sums.sql), whole (further grouping sets). Parameters: those of the sums, max_rows.
-- Result: two kinds of rows. of_tiers = 1: one per time, cascade, tier and model: attempts, accepted, priced_attempts,
-- cost, p95 of their durations; tokens and USD of the priced calls by part (input, read, write, write 1 h, output; input
-- and writes as counted, with their parts), and the price list and its model of the newest of them. of_tiers = 0: one per
-- time, cascade and highest tier of a run: runs, accepted runs, forced runs, calls, cost, cost of what was not accepted; of the runs
-- whose every call is priced: how many, how many of them know the tokens of their first attempt, and of these the cost
-- and those tokens by part; their cost at that tier. of_whole = 1: not by time.
SELECT
    s.time AS time,
    s.cascade AS cascade,
    s.run_tier AS run_tier,
    s.tier AS tier,
    s.model AS model,
    grouping(s.run_tier) AS of_tiers,
    grouping(s.time) AS of_whole,
    sum(s.attempts) AS attempts,
    sum(s.accepted_attempts) AS accepted_attempts,
    sum(s.priced_attempts) AS priced_attempts,
    sum(s.usd) AS usd,
    quantileExactInclusiveArray(0.95)(s.durations_ns) / 1e6 AS p95_ms,
    sum(s.runs) AS runs,
    sum(s.accepted_runs) AS accepted_runs,
    sum(s.forced_runs) AS forced_runs,
    sum(s.all_calls) AS all_calls,
    sum(s.all_priced) AS all_priced,
    sum(s.wasted_usd) AS wasted_usd,
    sum(s.priced_runs) AS priced_runs,
    sum(s.priced_runs_usd) AS priced_runs_usd,
    sum(s.last_usd) AS last_usd,
    sum(s.counted_runs) AS counted_runs,
    sum(s.counted_runs_usd) AS counted_runs_usd,
    sumForEach(s.first_tokens) AS first_tokens,
    sumForEach(s.rate_tokens) AS rate_tokens,
    sumForEach(s.rate_usd) AS rate_usd,
    max(s.rate_at) AS rate_at,
    argMax(s.rate_of.1, s.rate_at) AS rate_version,
    argMax(s.rate_of.2, s.rate_at) AS rate_model
FROM ($sums) AS s
GROUP BY GROUPING SETS ((s.time, s.cascade, s.tier, s.model), (s.time, s.cascade, s.run_tier)$whole)
ORDER BY of_whole, time DESC, cascade, tier, model, run_tier
LIMIT {max_rows:UInt64}
