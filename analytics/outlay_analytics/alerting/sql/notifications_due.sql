-- Question: which messages are intended but not yet sent, and due?
-- Parameters: at String (now), max_rows UInt32. Result: as in the table, oldest first.
SELECT *
FROM notifications FINAL
WHERE state = 'intent'
    AND next_attempt_at <= toDateTime64({at:String}, 6, 'UTC')
ORDER BY next_attempt_at, notification_id
LIMIT {max_rows:UInt32}
