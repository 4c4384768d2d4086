-- Question: how many traces have spans or scores that are not settled yet?
-- Result: unsettled_traces (traces). Each cell of a cluster has marks and progress of its own.
SELECT uniqExact(dirty.project, dirty.trace_id) AS unsettled_traces
FROM
(
    SELECT shardNum() AS cell, loader, seq, project, trace_id
    FROM dirty_traces
) AS dirty
LEFT JOIN
(
    SELECT shardNum() AS cell, loader, max(seq) AS settled
    FROM settle_progress
    GROUP BY cell, loader
) AS progress ON progress.cell = dirty.cell AND progress.loader = dirty.loader
WHERE dirty.seq > progress.settled
