-- Question: how many runs of cascades began in each interval, and how many of them went on to a later tier?
-- Fragments: sums (relations of cascade_sums.sql, by the interval). Parameters: those of the sums.
-- Result: time (interval of a run's first attempt), runs, escalated.
SELECT
    s.time AS time,
    sum(s.runs) AS runs,
    sumIf(s.runs, s.run_tier > 0) AS escalated
FROM ($sums) AS s
GROUP BY time
ORDER BY time
