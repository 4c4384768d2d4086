-- Question: which projects have calls?
-- Result: project (name), in order.
SELECT DISTINCT project
FROM dirty_hours
ORDER BY project
