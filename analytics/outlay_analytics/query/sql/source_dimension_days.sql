-- Question: which whole days of a window may be answered from `dimension_daily` for one dimension?
-- Parameters: project, dimension, grains (those that serve the question), is_tag (whether it is a tag), first and last
-- (Unix seconds, days, [first, last)).
-- Result: one row: `kept`, days rolled up after their last change with the dimension in such a grain; `unsaid`, days so
-- rolled up of whose calls none says anything about it.
SELECT
    arraySort(groupArrayIf(unix, own IN ({grains:Array(String)}))) AS kept,
    arraySort(groupArrayIf(unix, own = '' AND (itself = 'full' OR NOT {is_tag:Bool}))) AS unsaid
FROM
(
    SELECT toUnixTimestamp(day.hour) AS unix, day.grain AS itself, own.grain AS own
    FROM
    (
        SELECT hour, rolled_at, version, toString(grain) AS grain
        FROM dimension_days FINAL
        WHERE project = {project:String} AND dimension = ''
          AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
    ) AS day
    LEFT JOIN
    (
        SELECT hour, version, toString(grain) AS grain
        FROM dimension_days FINAL
        WHERE project = {project:String} AND dimension = {dimension:String}
          AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
    ) AS own ON own.hour = day.hour AND own.version = day.version
    LEFT JOIN
    (
        SELECT toStartOfDay(hour) AS hour, max(changed_at) AS changed_at
        FROM dirty_hours
        WHERE project = {project:String}
          AND hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({last:UInt32}, 'UTC')
        GROUP BY hour
    ) AS changed ON changed.hour = day.hour
    WHERE day.rolled_at > changed.changed_at AND day.grain != 'small'
)
