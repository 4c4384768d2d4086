-- Messages that did not reach their channel at the last try, by what they are about: how many channels, and why.
SELECT
    group_key,
    count() AS channels,
    argMax(last_error, at) AS error
FROM
(
    SELECT
        group_key,
        channel,
        max(created_at) AS at,
        argMax(state, created_at) AS last_state,
        argMax(error, created_at) AS last_error
    FROM notifications FINAL
    WHERE project = {project:String}
    GROUP BY group_key, channel
)
WHERE last_state != 'sent' AND last_error != ''
GROUP BY group_key
