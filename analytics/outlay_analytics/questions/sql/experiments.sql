-- Question: which experiments ran in a window, with which arms?
-- Fragments: filters (conditions on c). Parameters: project, start, end, name (empty: all), around (what such tags begin with), max_rows.
-- A call belongs to the innermost experiment that it was in, and by its tags to those around that.
-- Result: one row per experiment and arm: calls, how many of them say an item, a user, a session; first and last call; priced calls
-- and their cost; shares of units that get the arm, as calls say, two at most.
SELECT
    in.1 AS name,
    in.2 AS arm,
    count() AS calls,
    countIf(c.tags['evaluation_item'] != '') AS item_calls,
    countIf(c.`user` != '') AS user_calls,
    countIf(c.session != '') AS session_calls,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at,
    count(c.cost_usd) AS priced_calls,
    sum(c.cost_usd) AS cost_usd,
    groupUniqArrayIf(2)(c.arm_propensity, in.3) AS propensities
FROM calls AS c FINAL
ARRAY JOIN arrayFilter(
    one -> one.1 != '' AND {name:String} IN ('', one.1),
    arrayConcat(
        [(toString(c.experiment), toString(c.arm), true)],
        arrayMap(
            key -> (substring(key, length({around:String}) + 1), c.tags[key], false),
            arrayFilter(key -> startsWith(key, {around:String}), mapKeys(c.tags))
        )
    )
) AS in
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND ($filters)
GROUP BY name, arm
ORDER BY last_at DESC, name, arm
LIMIT {max_rows:UInt32}
