-- Question: in which hours do these traces lie?
-- Parameters: project, traces.
-- Result: one row: found (traces known here), first and last hour in Unix seconds, how many spans they have (those that
-- were sent again count again).
SELECT
    uniqExact(trace_id) AS found,
    toUnixTimestamp(min(first_hour)) AS first,
    toUnixTimestamp(max(last_hour)) AS last,
    sum(spans) AS spans
FROM trace_hours
WHERE project = {project:String}
  AND trace_id IN {traces:Array(String)}
