-- Question: to which channels do messages wait that were tried in vain? Parameters: project String (empty = every project).
-- Result: project, channel, messages (how many wait), since (when the oldest was intended), reason (of the last try).
SELECT
    project,
    channel,
    count() AS messages,
    min(created_at) AS since,
    argMaxIf(error, next_attempt_at, attempts > 0) AS reason
FROM notifications FINAL
WHERE state = 'intent' AND ({project:String} = '' OR project = {project:String})
GROUP BY project, channel
HAVING max(attempts) > 0
ORDER BY since, channel
