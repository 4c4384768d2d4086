-- How many rows `spans` has in each of some hours, copies included.
-- Parameters: project; hours, with first_hour and last_hour. Columns: hour since 1970, spans.
SELECT
    toUInt32(intDiv(toUnixTimestamp(toStartOfHour(started_at)), 3600)) AS hour,
    count() AS spans
FROM spans
WHERE project = {project:String}
    AND started_at >= fromUnixTimestamp({first_hour:UInt32} * 3600)
    AND started_at < fromUnixTimestamp(({last_hour:UInt32} + 1) * 3600)
    AND toStartOfHour(started_at) IN (SELECT toDateTime(arrayJoin({hours:Array(UInt32)}) * 3600, 'UTC'))
GROUP BY hour
