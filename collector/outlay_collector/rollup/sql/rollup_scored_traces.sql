-- The scored traces that have, or had, calls in these hours.
SELECT DISTINCT s.trace_id AS trace_id
FROM scores AS s
WHERE s.project = {project:String}
  AND s.trace_id IN
  (
    SELECT c.trace_id
    FROM calls AS c
    WHERE c.project = {project:String}
      AND c.started_at >= {first:DateTime('UTC')} AND c.started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
      AND toStartOfHour(c.started_at) IN {hours:Array(DateTime('UTC'))}
  )
