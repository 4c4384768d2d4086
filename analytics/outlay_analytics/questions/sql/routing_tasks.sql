-- Question: which tiers did routers choose for which tasks?
-- Fragments: task (text on c), not_answers (operations), filters (conditions on c). Parameters: project, start, end, max_rows.
-- Result: one row per task and tier: is_task (calls say it as their task, else as their feature), calls, requests (retries are none of their own), those that say with which probability
-- they were chosen, those of them that could have been chosen otherwise; models; cost of the priced calls; first and last call.
SELECT
    $task AS task,
    toString(c.route_tier) AS tier,
    max(c.task != '') AS is_task,
    count() AS calls,
    countIf(c.attempt <= 1) AS requests,
    countIf(c.attempt <= 1 AND isNotNull(c.route_propensity)) AS told_requests,
    countIf(c.attempt <= 1 AND c.route_propensity < 1) AS open_requests,
    topK(3)(toString(c.model)) AS models,
    count(c.cost_usd) AS priced_calls,
    sum(c.cost_usd) AS cost_usd,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.route_tier != ''
  AND c.cost_state != 'cached'
  AND c.operation NOT IN $not_answers
  AND ($filters)
GROUP BY task, tier
ORDER BY max(calls) OVER (PARTITION BY task) DESC, task, calls DESC, tier
LIMIT {max_rows:UInt32}
