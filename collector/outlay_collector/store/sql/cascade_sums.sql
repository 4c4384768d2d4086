-- The sums of cascade_hourly over attempts. Fragments: attempts (see cascade_attempts.sql), keys and sets as in
-- cascade_parts.sql.
-- Result: its columns without project, version and is_deleted, in order, with `time` in place of the hour.
SELECT
    a.time AS time,
    a.cascade AS cascade,
    a.run_tier AS run_tier,
    a.tier AS tier,
    a.model AS model,
    count() AS attempts,
    countIf(a.accepted) AS accepted_attempts,
    countIf(a.priced_calls > 0) AS priced_attempts,
    sum(a.cost_usd) AS usd,
    sumIf(a.cost_usd, NOT a.accepted) AS wasted_usd,
    groupArray(toUInt64(greatest(a.duration_ns, 0))) AS durations_ns,
    sum(a.calls) AS all_calls,
    sum(a.priced_calls) AS all_priced,
    countIf(a.first) AS runs,
    countIf(a.first AND a.run_accepted) AS accepted_runs,
    countIf(a.first AND a.run_forced) AS forced_runs,
    countIf(a.first AND a.run_priced) AS priced_runs,
    countIf(a.first AND a.run_priced AND a.run_counted) AS counted_runs,
    sumIf(a.cost_usd, a.run_priced) AS priced_runs_usd,
    sumIf(a.cost_usd, a.run_priced AND a.tier = a.run_tier) AS last_usd,
    sumIf(a.cost_usd, a.run_priced AND a.run_counted) AS counted_runs_usd,
    [
        sumIf(a.tokens[1], a.first AND a.run_priced),
        sumIf(a.tokens[2], a.first AND a.run_priced),
        sumIf(a.tokens[3], a.first AND a.run_priced),
        sumIf(a.tokens[4], a.first AND a.run_priced),
        sumIf(a.tokens[5], a.first AND a.run_priced)
    ] AS first_tokens,
    sumForEach(a.rate_tokens) AS rate_tokens,
    sumForEach(a.rate_usd) AS rate_usd,
    max(a.rate_at) AS rate_at,
    argMax(a.rate_of, a.rate_at) AS rate_of
    $keys
FROM ($attempts) AS a
GROUP BY time, cascade, run_tier, tier, model$sets
