-- Keys in `spans`, as 28 bytes each (RowBinary): hour since 1970, trace id, span id.
-- Parameters: project; hours, with first_hour and last_hour; start: only traces whose id begins so, empty for all.
SELECT
    toUInt32(intDiv(toUnixTimestamp(toStartOfHour(started_at)), 3600)) AS hour,
    toFixedString(unhex(trace_id), 16) AS trace,
    toFixedString(unhex(span_id), 8) AS span
FROM spans
WHERE project = {project:String}
    AND started_at >= fromUnixTimestamp({first_hour:UInt32} * 3600)
    AND started_at < fromUnixTimestamp(({last_hour:UInt32} + 1) * 3600)
    AND toStartOfHour(started_at) IN (SELECT toDateTime(arrayJoin({hours:Array(UInt32)}) * 3600, 'UTC'))
    AND startsWith(trace_id, {start:String})
