-- Of the runs in `cascade_fresh`: those with calls in several hours, as far as any roll-up has seen.
SELECT run
FROM
(
    SELECT run, hour FROM cascade_fresh
    UNION ALL
    SELECT run, hour FROM cascade_runs WHERE project = {project:String} AND run IN (SELECT run FROM cascade_fresh)
)
GROUP BY run
HAVING uniqExact(hour) > 1
