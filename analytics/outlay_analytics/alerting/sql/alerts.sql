-- Question: which alerts are known?
-- Fragments: condition (constants of our own). Parameters: project String (empty = every project), alert_id String (empty =
-- all), max_rows UInt32. Result: as in the table, those
-- that are open first, then the newest.
SELECT *
FROM alerts FINAL
WHERE ({project:String} = '' OR project = {project:String})
    AND ({alert_id:String} = '' OR alert_id = {alert_id:String})
    AND $condition
ORDER BY state = 'resolved', started_at DESC, alert_id
LIMIT {max_rows:UInt32}
