-- The traces of this run: those that changed in its batches, and since when. A score changes no span.
SELECT
    project,
    trace_id,
    min(if(spans > 0, received_from, toDateTime64('2100-01-01 00:00:00', 3, 'UTC'))) AS since
FROM dirty_traces
WHERE $batches
GROUP BY project, trace_id
ORDER BY project, trace_id
