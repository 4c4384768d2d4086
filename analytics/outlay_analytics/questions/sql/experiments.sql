-- Question: which experiments ran in a window, with which arms?
-- Fragments: filters (conditions on c). Parameters: project, start, end, max_rows.
-- Result: one row per experiment and arm: calls, how many of them say an item, a user, a session; first and last call; priced calls
-- and their cost; shares of units that get the arm, as calls say, two at most.
SELECT
    c.experiment AS name,
    c.arm AS arm,
    count() AS calls,
    countIf(c.tags['evaluation_item'] != '') AS item_calls,
    countIf(c.`user` != '') AS user_calls,
    countIf(c.session != '') AS session_calls,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at,
    count(c.cost_usd) AS priced_calls,
    sum(c.cost_usd) AS cost_usd,
    groupUniqArray(2)(c.arm_propensity) AS propensities
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.experiment != ''
  AND ($filters)
GROUP BY name, arm
ORDER BY last_at DESC, name, arm
LIMIT {max_rows:UInt32}
