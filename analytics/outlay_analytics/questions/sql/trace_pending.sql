-- Question: has this trace changed since it was last settled?
-- Fragments: waiting (condition on loader and seq: marks that settle has not reached). Parameters: project, trace_id, and
-- those of the fragment.
-- Result: one row: pending (0 or 1).
SELECT count() > 0 AS pending
FROM dirty_traces
WHERE ($waiting)
  AND project = {project:String}
  AND trace_id = {trace_id:String}
