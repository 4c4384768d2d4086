-- Question: in which hours did calls with these response ids start?
-- Parameters: project, responses.
-- Result: one row: found (ids known here), first and last hour in Unix seconds. Read through the index of response ids.
SELECT
    uniqExact(response_id) AS found,
    toUnixTimestamp(toStartOfHour(min(started_at))) AS first,
    toUnixTimestamp(toStartOfHour(max(started_at))) AS last
FROM calls
WHERE project = {project:String} AND response_id IN ({responses:Array(String)})
