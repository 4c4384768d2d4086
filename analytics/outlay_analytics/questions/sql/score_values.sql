-- Question: which values did these scores ever have?
-- Fragments: named (condition on s.name). Parameters: project, those of the fragment.
-- Result: one row per name: values (those with a number), least, most, shares (whether all are 0 or 1).
SELECT
    toString(s.name) AS name,
    countIf(isFinite(s.value) AND abs(s.value) <= 1e15) AS values,
    minIf(s.value, isFinite(s.value) AND abs(s.value) <= 1e15) AS least,
    maxIf(s.value, isFinite(s.value) AND abs(s.value) <= 1e15) AS most,
    countIf(isFinite(s.value) AND abs(s.value) <= 1e15 AND s.value NOT IN (0, 1)) = 0 AS shares
FROM scores AS s
WHERE s.project = {project:String}
  AND $named
GROUP BY name
