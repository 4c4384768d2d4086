-- Other hours that summed up a run as their own, which now turns out to be spread.
SELECT run, hour
FROM cascade_runs
WHERE project = {project:String} AND run IN (SELECT run FROM cascade_spread)
  AND hour NOT IN {hours:Array(DateTime('UTC'))}
GROUP BY run, hour
HAVING max(spread) = 0
