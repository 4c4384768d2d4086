-- How many rows about cascades these hours have, or had: where there are none, their calls are not read for them.
SELECT
    (SELECT count() FROM rollup_fresh WHERE cascade != '')
    + (SELECT count() FROM cascade_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))})
    + (SELECT count() FROM cascade_parts WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))})
    + (SELECT count() FROM cascade_mixed WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS rows
