-- Question: what do the calls of each task that answer something cost by model, and how long do they take?
-- Fragments: not_answers (operations), task (text on c), tier (text on c), filters (conditions on c). Parameters: project, start, end, max_rows.
-- Result: one row per task and model: histogram of durations (as in latency_hours), calls, errors, sums over priced calls for the cost per call (see moments.py).
SELECT
    $task AS task,
    c.model AS model,
    any($tier) AS model_tier,
    count() AS calls,
    countIf(c.status = 'error') AS errors,
    sum(ifNull(c.cost_usd, 0)) AS cost_usd,
    count(c.cost_usd) AS cost_units,
    sum(toFloat64(ifNull(c.cost_usd, 0))) AS cost_a,
    cost_units AS cost_b,
    sum(pow(toFloat64(ifNull(c.cost_usd, 0)), 2)) AS cost_aa,
    cost_units AS cost_bb,
    cost_a AS cost_ab,
    0 AS cost_shares,
    quantiles(0.5, 0.95)(c.duration_ns / 1e6) AS quantiles_ms,
    sumMap([toUInt16(floor(log2(greatest(c.duration_ns / 1000, 1)) * 16))], [toUInt64(1)]) AS histogram,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.cost_state != 'cached'
  AND c.operation NOT IN $not_answers
  AND ($filters)
GROUP BY task, model
ORDER BY calls DESC, task, model
LIMIT {max_rows:UInt32}
