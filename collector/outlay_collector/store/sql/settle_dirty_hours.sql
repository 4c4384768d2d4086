-- Mark the hours whose calls this run may change, before it changes them.
INSERT INTO dirty_hours
SELECT DISTINCT
    project,
    toStartOfHour(started_at) AS hour,
    now64(3) AS changed_at
FROM settle_requests
-- What is no more:
UNION ALL
SELECT DISTINCT
    project,
    toStartOfHour(started_at) AS hour,
    now64(3) AS changed_at
FROM calls FINAL
WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
