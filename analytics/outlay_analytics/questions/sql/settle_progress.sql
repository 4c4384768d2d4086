-- Question: up to which mark has settle read, by cell of a cluster (0 elsewhere) and loader?
-- Result: cell, loader, seq.
SELECT shardNum() AS cell, loader, max(seq) AS seq
FROM settle_progress
GROUP BY cell, loader
ORDER BY cell, loader
