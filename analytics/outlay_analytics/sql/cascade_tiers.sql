-- Question: what did each tier and model of each cascade do?
-- Fragments: attempts (see cascade_attempts.sql). Parameters: those of the attempts, max_rows.
-- Result: one row per time, cascade, tier and model: attempts, accepted, priced attempts, cost, p95 of the attempts'
-- durations; tokens and USD by part over priced attempts.
SELECT
    time,
    cascade,
    tier,
    model,
    count() AS attempts,
    countIf(outcome = 'accepted') AS accepted,
    countIf(priced_calls > 0) AS priced_attempts,
    sum(cost_usd) AS tier_cost_usd,
    quantileExactInclusive(0.95)(duration_ns) / 1e6 AS p95_ms,
    sumIf(input_tokens, priced_calls > 0) AS input,
    sumIf(read_tokens, priced_calls > 0) AS read,
    sumIf(write_tokens, priced_calls > 0) AS write,
    sumIf(write_1h_tokens, priced_calls > 0) AS write_1h,
    sumIf(output_tokens, priced_calls > 0) AS output,
    sum(input_usd) AS usd_input,
    sum(read_usd) AS usd_read,
    sum(write_usd) AS usd_write,
    sum(write_1h_usd) AS usd_write_1h,
    sum(output_usd) AS usd_output
FROM ($attempts) AS attempts
GROUP BY time, cascade, tier, model
ORDER BY time DESC, cascade, tier, model
LIMIT {max_rows:UInt64}
