-- Question: when did an experiment begin?
-- Parameters: project, end, name, around (its tag, where others lie inside it). Result: one row: first_at. Calls that were replaced since may be among those looked at.
SELECT min(c.started_at) AS first_at
FROM calls AS c
PREWHERE c.experiment = {name:String} OR mapContains(c.tags, {around:String})
WHERE c.project = {project:String}
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
