-- Hours whose calls changed since they were last rolled up, and when each of both was.
SELECT d.project AS project, d.hour AS hour, d.changed_at AS changed_at, r.rolled_at AS rolled_at
FROM (SELECT project, hour, changed_at FROM dirty_hours FINAL) AS d
LEFT ANY JOIN (SELECT project, hour, rolled_at FROM rolled_hours FINAL) AS r
    ON d.project = r.project AND d.hour = r.hour
WHERE NOT r.rolled_at > d.changed_at
ORDER BY hour DESC, project
LIMIT {limit:UInt32}
