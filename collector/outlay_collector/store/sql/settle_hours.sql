-- The hours in which the traces of a round have spans: bounds every later read to the primary key. Of a giant trace only
-- the part is read that the new spans touch, see settle_giant.sql.
INSERT INTO settle_hours
SELECT
    project,
    addHours(first_hour, arrayJoin(range(toUInt64(dateDiff('hour', first_hour, last_hour)) + 1))) AS hour,
    trace_id,
    {round:UInt8} AS round,
    spans > {giant_spans:UInt32} OR dateDiff('hour', first_hour, last_hour) > {giant_hours:UInt32} AS giant
FROM
(
    SELECT
        project,
        trace_id,
        min(first_hour) AS first_hour,
        max(last_hour) AS last_hour,
        sum(spans) AS spans
    FROM trace_hours
    WHERE (project, trace_id) IN (SELECT project, trace_id FROM settle_traces WHERE round = {round:UInt8})
    GROUP BY project, trace_id
)
