-- Question: up to which mark has settle read, by loader?
-- Result: loader, seq.
SELECT loader, max(seq) AS seq
FROM settle_progress
GROUP BY loader
ORDER BY loader
