-- Question: up to which load is each loader settled? Of those that still have marks: a process that takes scores is a loader
-- of its own, and marks expire, so that restarts do not lengthen this list for ever.
SELECT loader, max(seq) AS seq
FROM settle_progress
WHERE loader IN (SELECT DISTINCT loader FROM dirty_traces)
GROUP BY loader
