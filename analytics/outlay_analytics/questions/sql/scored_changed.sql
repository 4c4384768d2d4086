-- Condition: traces with calls in hours that are not clean; rows that were replaced or taken back count as well.
-- Fragments: trace (of c), hours (condition on c.started_at). Parameters: project, those of the fragments.
SELECT $trace
FROM calls AS c
WHERE c.project = {project:String}
  AND $hours
