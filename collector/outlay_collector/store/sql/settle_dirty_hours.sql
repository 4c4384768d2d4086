-- Mark the hours whose calls this run may change, before it changes them.
INSERT INTO dirty_hours
SELECT DISTINCT
    project,
    hour,
    now64(3) AS changed_at
FROM
(
    SELECT project, toStartOfHour(started_at) AS hour
    FROM settle_requests
    UNION ALL
    SELECT project, toStartOfHour(started_at) AS hour
    FROM calls FINAL
    WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
)
