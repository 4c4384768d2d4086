-- Question: by which score are the runs of a cascade judged?
-- Fragments: filters. Parameters: project, start, end, name (of the cascade).
-- Result: name, of the score given most often; no row without any. Asked from the scores, which are fewer than calls.
SELECT toString(s.name) AS name
FROM scores AS s FINAL
WHERE s.project = {project:String}
  AND isNotNull(s.value)
  AND s.trace_id IN
  (
    SELECT c.trace_id
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.trace_id IN (SELECT trace_id FROM scores WHERE project = {project:String} AND isNotNull(value))
      AND c.cascade_name = {name:String}
      AND ($filters)
  )
GROUP BY name
ORDER BY count() DESC, name
LIMIT 1
