-- Question: what do the calls cost that no change concerns?
-- Fragments: source (with all changes). Parameters: those of the fragment. Result: per feature: usd.
SELECT feature, sum(old_cost_usd) AS usd
FROM ($source)
WHERE NOT touched
GROUP BY feature
