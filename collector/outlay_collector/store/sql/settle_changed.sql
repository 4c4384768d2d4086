-- The traces of this run: those that changed in its batches, and since when. A score changes no span.
INSERT INTO settle_traces
SELECT
    project,
    trace_id,
    1 AS write,
    0 AS round,
    min(if(spans > 0, received_from, toDateTime64('2100-01-01 00:00:00', 3, 'UTC'))) AS since,
    sipHash64(project, trace_id) AS trace
FROM dirty_traces
WHERE $batches
GROUP BY project, trace_id
