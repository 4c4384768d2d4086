-- Question: are there fewer calls in a window than scores?
-- Parameters: project, start, end.
-- Result: one row: calls (replaced ones count again), scores.
SELECT
    (
        SELECT count()
        FROM calls AS c
        WHERE c.project = {project:String}
          AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
          AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
    ) AS calls,
    (SELECT count() FROM scores WHERE project = {project:String}) AS scores
