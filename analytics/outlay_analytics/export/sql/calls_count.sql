-- Question: how many calls are there, and how many of them have a known cost?
-- Fragments: filters. Parameters: project, start, end, and those of the fragment. Result: calls, priced_calls.
SELECT
    count() AS calls,
    countIf(isNotNull(c.cost_usd)) AS priced_calls
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND ($filters)
