-- Question: in which hours did spans with these response ids start?
-- Parameters: project, responses.
-- Result: one row: found (ids known here), first and last hour in Unix seconds.
SELECT
    uniqExact(key) AS found,
    toUnixTimestamp(toStartOfHour(min(started_at))) AS first,
    toUnixTimestamp(toStartOfHour(max(started_at))) AS last
FROM response_ids FINAL
WHERE key IN (SELECT sipHash64({project:String}, arrayJoin({responses:Array(String)})))
