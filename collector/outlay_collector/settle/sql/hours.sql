-- The hours in which traces have spans: bounds every later read to the primary key. which says whose.
SELECT
    project,
    trace_id,
    sipHash64(project, trace_id) AS trace,
    min(first_hour) AS first,
    dateDiff('hour', first, max(last_hour)) + 1 AS hours,
    sum(spans) AS stored_spans
FROM trace_hours
WHERE $which
GROUP BY project, trace_id
ORDER BY project, trace_id
