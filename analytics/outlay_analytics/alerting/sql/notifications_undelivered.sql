-- Question: which channels did the last message about a group not reach, and why? Parameters: project String.
-- Result: group_key, channel, error.
SELECT
    group_key,
    channel,
    argMax(error, created_at) AS last_error
FROM notifications FINAL
WHERE project = {project:String}
GROUP BY group_key, channel
HAVING argMax(state, created_at) != 'sent' AND last_error != ''
ORDER BY group_key, channel
