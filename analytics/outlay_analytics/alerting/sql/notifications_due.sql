-- Question: which messages are intended but not yet sent, and due? Of several about one group to one channel the first: an
-- end that overtook its beginning would leave that open. Where those before it are tried in vain for `held_s`, what is no end
-- is tried, too, so that one message that is never taken holds up no other incident's.
-- Parameters: at String (now), max_rows UInt32, held_s UInt32, refused_s UInt32. Result: as in the table, and
-- is_replaced: its receiver took a newer message about the same, which says all that still holds; is_refused: others wait
-- behind it, and its receiver took other messages since it is tried, for `refused_s` at least. Oldest first.
WITH
    toDateTime64({at:String}, 6, 'UTC') AS present,
    waiting AS
    (
        SELECT
            *,
            row_number() OVER so_far AS place,
            count() OVER (PARTITION BY project, group_key, channel) AS together,
            max(attempts = 0) OVER before AS is_untried_before,
            max(created_at) OVER before AS created_before_at
        FROM notifications FINAL
        WHERE state = 'intent'
        WINDOW
            so_far AS (PARTITION BY project, group_key, channel ORDER BY created_at, notification_id),
            before AS
            (
                PARTITION BY project, group_key, channel
                ORDER BY created_at, notification_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
    ),
    taken AS
    (
        SELECT
            project,
            channel,
            maxMap(map(group_key, created_at)) AS of_group,
            max(sent_at) AS last_at
        FROM notifications FINAL
        WHERE state = 'sent' AND (project, channel) IN (SELECT project, channel FROM waiting)
        GROUP BY project, channel
    )
SELECT
    waiting.* EXCEPT (place, together, is_untried_before, created_before_at),
    taken.of_group[group_key] > created_at AS is_replaced,
    ifNull(taken.last_at > created_at, 0)
        AND together > place
        AND created_at <= present - toIntervalSecond({refused_s:UInt32}) AS is_refused
FROM waiting
LEFT JOIN taken USING (project, channel)
WHERE next_attempt_at <= present
    AND
    (
        place = 1
        OR
        (
            JSONExtractString(message, 'status') != 'resolved'
            AND NOT is_untried_before
            AND created_before_at <= present - toIntervalSecond({held_s:UInt32})
        )
    )
ORDER BY next_attempt_at, notification_id
LIMIT {max_rows:UInt32}
