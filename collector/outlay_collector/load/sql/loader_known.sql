-- Which keys of a batch are in `spans` already. The keys of one project's bodies are in the temporary table `batch_keys`.
-- Parameters: project; first_hour, last_hour: span of hours in the batch.
-- Columns: key, the 28 bytes of `batch_keys` as hex.
SELECT DISTINCT
    concat(
        hex(reinterpretAsFixedString(toUInt32(intDiv(toUnixTimestamp(toStartOfHour(started_at)), 3600)))),
        upper(trace_id),
        upper(span_id)) AS key
FROM spans
WHERE project = {project:String}
    AND started_at >= fromUnixTimestamp({first_hour:UInt32} * 3600)
    AND started_at < fromUnixTimestamp(({last_hour:UInt32} + 1) * 3600)
    AND (toStartOfHour(started_at), trace_id, span_id) GLOBAL IN (
        SELECT
            toDateTime(hour * 3600, 'UTC'),
            lower(hex(trace_id)),
            lower(hex(span_id))
        FROM batch_keys)
