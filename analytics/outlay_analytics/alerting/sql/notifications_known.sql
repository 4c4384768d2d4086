-- Question: which of these notifications were written down before? Parameters: ids Array(String). Result: notification_id.
SELECT DISTINCT notification_id
FROM notifications
WHERE notification_id IN {ids:Array(String)}
