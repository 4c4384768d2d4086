-- Question: were any prompts captured at all? Asked first, because it reads two columns that compress to nothing.
-- Parameters: project, start, end.
-- Result: one row: whether some row of the window, superseded ones included, has a hash of a prompt or of a prefix.
SELECT
    max(c.prompt_hash) != 0 AS prompts,
    max(c.prefix_hash) != 0 AS prefixes
FROM calls AS c
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
