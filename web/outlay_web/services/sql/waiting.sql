-- Question: how many traces have spans or scores that are not settled yet?
-- Result: unsettled_traces (traces).
SELECT uniqExact(dirty.project, dirty.trace_id) AS unsettled_traces
FROM dirty_traces AS dirty
LEFT JOIN
(
    SELECT loader, max(seq) AS settled
    FROM settle_progress
    GROUP BY loader
) AS progress ON progress.loader = dirty.loader
WHERE dirty.seq > progress.settled
