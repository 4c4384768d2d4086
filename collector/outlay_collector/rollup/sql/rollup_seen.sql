-- What there is of these hours beside spend, or was when they were rolled up last: rows about look-ups, calls that name a prompt,
-- cascades; and how many scores the project has. Where there is nothing, nothing is read for it.
SELECT
    (
        SELECT count()
        FROM lookups
        WHERE project = {project:String}
          AND started_at >= {first:DateTime('UTC')} AND started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
    )
    + (SELECT count() FROM lookup_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS lookups,
    (SELECT sum(n_prompts) FROM rollup_fresh)
    + (SELECT count() FROM prompt_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS prompts,
    (SELECT countIf(cascade != '') FROM rollup_fresh)
    + (SELECT count() FROM cascade_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))})
    + (SELECT count() FROM cascade_parts WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))})
    + (SELECT count() FROM cascade_mixed WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS cascades,
    (SELECT count() FROM scores WHERE project = {project:String}) AS scores
