-- Question: which incidents are known?
-- Parameters: project String (empty = every project), incident_id String (empty = all), start, end String (those that
-- touch the window), max_rows UInt32. Result: as in the table, newest first.
SELECT *
FROM incidents FINAL
WHERE ({project:String} = '' OR project = {project:String})
    AND ({incident_id:String} = '' OR incident_id = {incident_id:String})
    AND ended_at > toDateTime64({start:String}, 6, 'UTC')
    AND started_at < toDateTime64({end:String}, 6, 'UTC')
ORDER BY started_at DESC, incident_id
LIMIT {max_rows:UInt32}
