-- Question: have hours changed since an answer about them was found?
-- Parameters: project, first and last (Unix seconds, [first, last)).
-- Result: one row: hours that were ever written, and when one last changed (by cell, as their clocks are).
SELECT
    sum(written) AS hours,
    arraySort(groupArray(at)) AS changed_at
FROM
(
    SELECT
        shardNum() AS cell,
        count() AS written,
        max(changed_at) AS at
    FROM dirty_hours FINAL
    WHERE project = {project:String}
      AND hour >= toDateTime({first:UInt32}, 'UTC')
      AND hour < toDateTime({last:UInt32}, 'UTC')
    GROUP BY cell
)
