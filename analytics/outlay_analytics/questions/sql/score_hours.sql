-- Question: in which hours do the scored traces lie that have calls in a window?
-- Fragments: given (score_given.sql). Parameters: project, start, end, those of `given`.
-- Result: one row: traces known, first_hour and last_hour.
SELECT
    count() AS traces,
    min(h.first_hour) AS first_hour,
    max(h.last_hour) AS last_hour
FROM trace_hours AS h
WHERE h.project = {project:String}
  AND h.trace_id IN
  (
    SELECT c.trace_id
    FROM calls AS c
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.trace_id IN (SELECT trace_id FROM scores WHERE $given)
  )
