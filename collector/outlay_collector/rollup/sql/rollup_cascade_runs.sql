-- What is known of runs now: rows of `cascade_fresh` and `cascade_told`.
INSERT INTO cascade_runs
SELECT DISTINCT {project:String} AS project, run, hour, run IN (SELECT run FROM cascade_spread) AS spread
FROM cascade_fresh
UNION ALL
SELECT {project:String} AS project, run, hour, 1 AS spread
FROM cascade_told
