-- Question: when did each version of these prompts first appear, in all of time?
-- Parameters: project, prompts. Result: one row per prompt and version: first_at. Calls that were replaced since may be
-- among those looked at.
SELECT
    c.prompt AS prompt,
    c.prompt_version AS version,
    min(c.started_at) AS first_at
FROM calls AS c
PREWHERE c.prompt IN {prompts:Array(String)}
WHERE c.project = {project:String}
GROUP BY prompt, version
