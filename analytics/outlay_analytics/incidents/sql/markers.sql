-- Question: what happened in a window, as people and deployments said?
-- Parameters: project String, start, end String, max_rows UInt32. Result: marker_id, at, name, scope, created_by; newest first.
SELECT
    marker_id,
    at,
    name,
    scope,
    created_by
FROM markers FINAL
WHERE project = {project:String}
    AND at >= toDateTime64({start:String}, 6, 'UTC')
    AND at < toDateTime64({end:String}, 6, 'UTC')
ORDER BY at DESC, marker_id
LIMIT {max_rows:UInt32}
