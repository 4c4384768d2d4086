-- The traces of this run: those that changed in its batches.
INSERT INTO settle_traces
SELECT DISTINCT
    project,
    trace_id,
    1 AS write,
    0 AS round
FROM dirty_traces
WHERE $batches
