-- Question: which messages are intended but not yet sent, and due? Of several about one group to one channel the first alone:
-- an end that overtook its beginning would leave that open.
-- Parameters: at String (now), max_rows UInt32. Result: as in the table, oldest first.
SELECT * EXCEPT (place)
FROM
(
    SELECT
        *,
        row_number() OVER (PARTITION BY project, group_key, channel ORDER BY created_at, notification_id) AS place
    FROM notifications FINAL
    WHERE state = 'intent'
)
WHERE place = 1
    AND next_attempt_at <= toDateTime64({at:String}, 6, 'UTC')
ORDER BY next_attempt_at, notification_id
LIMIT {max_rows:UInt32}
