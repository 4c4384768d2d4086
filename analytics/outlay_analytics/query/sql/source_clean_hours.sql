-- Question: which whole hours of a window may be answered from the rollups?
-- Parameters: project, first and last (Unix seconds, hours, [first, last)).
-- Result: one row: `clean`, hours rolled up after their last change; `open`, hours that changed since. Hours that never
-- had a call are in neither. `latency_days`: days that latency_daily knows, whether they may be believed or not.
SELECT
    arraySort(groupArrayIf(unix, rolled > changed)) AS clean,
    arraySort(groupArrayIf(unix, rolled <= changed)) AS open,
    (
        SELECT groupUniqArray(toUnixTimestamp(hour))
        FROM latency_daily
        WHERE project = {project:String} AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
    ) AS latency_days
FROM
(
    SELECT
        toUnixTimestamp(hour) AS unix,
        max(rolled_at) AS rolled,
        max(changed_at) AS changed
    FROM
    (
        SELECT hour, toDateTime64(0, 3, 'UTC') AS rolled_at, changed_at
        FROM dirty_hours
        WHERE project = {project:String} AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
        UNION ALL
        SELECT hour, rolled_at, toDateTime64(0, 3, 'UTC') AS changed_at
        FROM rolled_hours
        WHERE project = {project:String} AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
    )
    GROUP BY hour
)
