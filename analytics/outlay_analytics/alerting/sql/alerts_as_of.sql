-- Question: can a round over the budgets find anything that the last one did not?
-- Parameters: since String (an alert that began to fire before it no longer waits to be told). Result: one row: when an
-- hour's calls last changed (by cell, as their clocks are), when a budget or rule was last put, and how many alerts wait for a second look or their first message.
SELECT
    (
        SELECT arraySort(groupArray(at))
        FROM (SELECT shardNum() AS cell, max(changed_at) AS at FROM dirty_hours GROUP BY cell)
    ) AS calls_at,
    greatest((SELECT max(updated_at) FROM budgets), (SELECT max(updated_at) FROM alert_rules)) AS budgets_at,
    (
        SELECT countIf(
            state = 'pending'
            OR (
                state = 'firing'
                AND isNull(notified_at)
                AND notEmpty(notify)
                AND fired_at > toDateTime64({since:String}, 6, 'UTC')
            )
        )
        FROM alerts FINAL
    ) AS waiting
