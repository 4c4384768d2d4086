-- Question: which scores were given to the calls of a window?
-- Fragments: filters (conditions on c). Parameters: project, start, end.
-- Result: one row per name: times, values (those with a number), least, most, whether all are 0 or 1, up to 20 labels.
SELECT
    s.name AS name,
    count() AS times,
    countIf(isFinite(s.value) AND abs(s.value) <= 1e15) AS values,
    minIf(s.value, isFinite(s.value) AND abs(s.value) <= 1e15) AS least,
    maxIf(s.value, isFinite(s.value) AND abs(s.value) <= 1e15) AS most,
    countIf(isFinite(s.value) AND abs(s.value) <= 1e15 AND s.value NOT IN (0, 1)) = 0 AS shares,
    arraySort(groupUniqArrayIf(20)(s.label, s.label != '')) AS labels
FROM scores AS s FINAL
WHERE s.project = {project:String}
  AND s.trace_id IN
  (
    SELECT c.trace_id
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.trace_id IN (SELECT trace_id FROM scores WHERE project = {project:String})
      AND ($filters)
  )
GROUP BY name
ORDER BY times DESC, name
LIMIT 1000
