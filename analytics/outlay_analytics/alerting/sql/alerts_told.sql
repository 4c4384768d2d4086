-- Question: which ended occurrences of these things were told, and which incidents? Parameters: projects, fingerprints,
-- budgets (or rules) Array(String), since String (they ended after it), max_rows UInt32. Result: as in the table, the
-- newest first.
SELECT *
FROM alerts FINAL
WHERE project IN {projects:Array(String)}
    AND (fingerprint IN {fingerprints:Array(String)} OR budget IN {budgets:Array(String)} OR rule = 'anomaly')
    AND state = 'resolved'
    AND notified_state != ''
    AND resolved_at > toDateTime64({since:String}, 6, 'UTC')
ORDER BY resolved_at DESC, alert_id
LIMIT {max_rows:UInt32}
