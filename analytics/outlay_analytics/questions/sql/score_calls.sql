-- Question: how many calls does a window have, as far as it matters?
-- Parameters: project, start, end, most (counted at most).
-- Result: one row: calls (replaced ones count again).
SELECT count() AS calls
FROM
(
    SELECT 1
    FROM calls AS c
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
    LIMIT {most:UInt64}
)
