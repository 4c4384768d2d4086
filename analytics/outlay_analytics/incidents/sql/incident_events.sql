-- Question: what became of some incidents? Parameters: project String, ids Array(String).
-- Result: incident_id, at, kind, by, text; oldest first.
SELECT
    incident_id,
    at,
    kind,
    by,
    text
FROM incident_events FINAL
WHERE project = {project:String}
    AND incident_id IN {ids:Array(String)}
ORDER BY at, kind, text
