-- Question: who is on which alert?
-- Parameters: ids Array(String). Result: project, alert_id, acknowledged_by, acknowledged_at.
SELECT
    project,
    alert_id,
    acknowledged_by,
    acknowledged_at
FROM acknowledgements FINAL
WHERE alert_id IN {ids:Array(String)}
