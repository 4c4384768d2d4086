-- Question: what did incidents that are over add to the spend of a project?
-- Parameters: project, start, end String (those that touch the window), most_h UInt32 (hours; longer ones became the level).
-- Result: scope (dimension to value), started_at, ended_at, usd (above what was expected), parts (JSON, see incidents).
SELECT
    scope,
    started_at,
    ended_at,
    actual_usd - expected_usd AS usd,
    parts
FROM incidents FINAL
WHERE project = {project:String}
    AND NOT ongoing
    AND ended_at > toDateTime64({start:String}, 6, 'UTC')
    AND started_at < toDateTime64({end:String}, 6, 'UTC')
    AND ended_at - started_at <= {most_h:UInt32} * 3600
ORDER BY started_at, incident_id
