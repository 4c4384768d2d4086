-- Question: which whole days of a window may be answered from `dimension_daily` for one dimension?
-- Parameters: project, dimension, grains (those that serve the question), is_tag (whether it is a tag), first and last
-- (Unix seconds, days, [first, last)).
-- Result: one row: `kept`, days rolled up after their last change with the dimension in such a grain; `unsaid`, days so
-- rolled up of whose calls none says anything about it. On a cluster, by every cell that had calls on the day.
SELECT
    arraySort(groupArrayIf(unix, is_kept)) AS kept,
    arraySort(groupArrayIf(unix, is_unsaid)) AS unsaid
FROM
(
    SELECT unix, min(believed AND has_grain) AS is_kept, min(believed AND is_silent) AS is_unsaid
    FROM
    (
        SELECT
            toUnixTimestamp(changed.hour) AS unix,
            day.rolled_at > changed.changed_at AND day.grain != 'small' AS believed,
            own.grain IN ({grains:Array(String)}) AS has_grain,
            own.grain = '' AND (day.grain = 'full' OR NOT {is_tag:Bool}) AS is_silent
        FROM
        (
            SELECT shardNum() AS cell, toStartOfDay(d.hour) AS hour, max(d.changed_at) AS changed_at
            FROM dirty_hours AS d
            WHERE d.project = {project:String}
              AND d.hour >= toDateTime({first:UInt32}, 'UTC') AND d.hour < toDateTime({last:UInt32}, 'UTC')
            GROUP BY cell, toStartOfDay(d.hour)
        ) AS changed
        LEFT JOIN
        (
            SELECT shardNum() AS cell, hour, rolled_at, version, toString(grain) AS grain
            FROM dimension_days FINAL
            WHERE project = {project:String} AND dimension = ''
              AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
        ) AS day ON day.cell = changed.cell AND day.hour = changed.hour
        LEFT JOIN
        (
            SELECT shardNum() AS cell, hour, version, toString(grain) AS grain
            FROM dimension_days FINAL
            WHERE project = {project:String} AND dimension = {dimension:String}
              AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
        ) AS own ON own.cell = day.cell AND own.hour = day.hour AND own.version = day.version
    )
    GROUP BY unix
)
