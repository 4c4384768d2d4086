-- How many calls a day has at most, how many keys of spend_daily, and by dimension (fragments said and distinct) how many
-- calls say something and how many values there are. Without FINAL: what no longer holds may count too.
SELECT
    count() AS calls,
    (
        SELECT count() FROM spend_daily FINAL WHERE project = {project:String} AND hour = {day:DateTime('UTC')}
    ) AS day_keys,
    [$said] AS said,
    [$distinct] AS distinct_values
FROM calls
WHERE project = {project:String}
  AND started_at >= {day:DateTime('UTC')} AND started_at < {day:DateTime('UTC')} + INTERVAL 1 DAY
