-- Question: what was spent on some models of the price list, per day?
-- Fragments: filters (of calls). Parameters: project, start, end, models, those of the filters.
SELECT matched_model AS model, toStartOfDay(started_at, 'UTC') AS day, sum(cost_usd) AS usd
FROM calls AS c FINAL
WHERE project = {project:String} AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
  AND matched_model IN {models:Array(String)} AND $filters
GROUP BY model, day
