-- Question: which spans, and traces as a whole (span_id is empty), are scored so?
-- Fragments: key (of the parameters' names), said (condition on s). Parameters: ${key}_project, ${key}_score, those of `said`.
-- Result: trace_id, span_id.
SELECT s.trace_id, s.span_id
FROM scores AS s FINAL
WHERE s.project = {${key}_project:String}
  AND s.name = {${key}_score:String}
  AND ($said)
