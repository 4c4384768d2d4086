-- Whether these hours have look-ups, or had some when they were rolled up last.
SELECT
    (
        SELECT count()
        FROM lookups
        WHERE project = {project:String}
          AND started_at >= {first:DateTime('UTC')} AND started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
    )
    + (SELECT count() FROM lookup_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS rows
