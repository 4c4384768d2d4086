-- Question: which whole hours of a window may be answered from the rollups?
-- Parameters: project, first and last (Unix seconds, hours, [first, last)).
-- Result: one row: `clean`, hours rolled up after their last change, by every cell of a cluster that had calls in them;
-- `open`, hours that changed since. Hours that never had a call are in neither. `latency_days`: days that latency_daily
-- knows, whether they may be believed or not.
SELECT
    arraySort(groupArrayIf(unix, is_clean)) AS clean,
    arraySort(groupArrayIf(unix, NOT is_clean)) AS open,
    (
        SELECT groupUniqArray(toUnixTimestamp(hour))
        FROM latency_daily
        WHERE project = {project:String} AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
    ) AS latency_days
FROM
(
    SELECT unix, min(rolled > changed) AS is_clean
    FROM
    (
        SELECT
            cell,
            toUnixTimestamp(hour) AS unix,
            max(rolled_at) AS rolled,
            max(changed_at) AS changed
        FROM
        (
            SELECT shardNum() AS cell, hour, toDateTime64(0, 3, 'UTC') AS rolled_at, changed_at
            FROM dirty_hours
            WHERE project = {project:String} AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
            UNION ALL
            SELECT shardNum() AS cell, hour, rolled_at, toDateTime64(0, 3, 'UTC') AS changed_at
            FROM rolled_hours
            WHERE project = {project:String} AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
        )
        GROUP BY cell, hour
    )
    GROUP BY unix
)
