-- Of the runs in `cascade_fresh`: those with calls in several hours, as far as any roll-up has seen.
-- Fragment: shared (rollup_cascade_shared.sql, or nothing).
SELECT run
FROM
(
    SELECT run, hour, 0 AS was_spread
    FROM cascade_fresh
    UNION ALL
    SELECT run, hour, spread AS was_spread
    FROM cascade_runs
    WHERE project = {project:String} AND run IN (SELECT run FROM cascade_fresh)
)
GROUP BY run
HAVING uniqExact(hour) > 1 OR max(was_spread) = 1
$shared
