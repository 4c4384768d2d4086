-- How many rows about cascades these hours have, or had.
SELECT
    (SELECT count() FROM cascade_fresh)
    + (SELECT count() FROM cascade_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))})
    + (SELECT count() FROM cascade_parts WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))})
    + (SELECT count() FROM cascade_mixed WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS rows
