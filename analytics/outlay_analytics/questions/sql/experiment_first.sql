-- Question: did an experiment begin before a window, and when?
-- Parameters: project, start, name, around (its tag, where others lie inside it).
-- Result: one row: calls before the window, first_at. Calls that were replaced since may be among those looked at.
SELECT count() AS calls, min(c.started_at) AS first_at
FROM calls AS c
PREWHERE c.experiment = {name:String} OR mapContains(c.tags, {around:String})
WHERE c.project = {project:String}
  AND c.started_at < toDateTime64({start:String}, 9, 'UTC')
