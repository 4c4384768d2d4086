-- Question: when was a project's first call? Parameters: project. Result: hour (its start), no row without calls.
SELECT toStartOfHour(started_at) AS hour
FROM calls
WHERE project = {project:String}
ORDER BY project, toStartOfHour(started_at)
LIMIT 1
