-- Question: can a round over the budgets find anything that the last one did not?
-- Result: one row: when an hour's calls last changed, when a budget was last put, and how many alerts wait for a second
-- look or for their first message.
SELECT
    (SELECT max(changed_at) FROM dirty_hours) AS calls_at,
    (SELECT max(updated_at) FROM budgets) AS budgets_at,
    (
        SELECT countIf(state = 'pending' OR (state = 'firing' AND isNull(notified_at) AND notEmpty(notify)))
        FROM alerts FINAL
    ) AS waiting
