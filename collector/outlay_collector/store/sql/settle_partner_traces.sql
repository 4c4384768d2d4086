-- The traces of partners that are not read yet.
INSERT INTO settle_traces
SELECT DISTINCT
    project,
    trace_id,
    {write:UInt8} AS write,
    {round:UInt8} + 1 AS round,
    toDateTime64('2100-01-01 00:00:00', 3, 'UTC') AS since,
    sipHash64(project, trace_id) AS trace
FROM settle_partners
WHERE round = {round:UInt8} + 1 AND (project, trace_id) NOT IN (SELECT project, trace_id FROM settle_traces)
