-- The scored answers of a window's clean hours, but for traces that have calls in others.
-- Fragments: time, dimensions (an array of texts on c), filters and named (conditions on c), hours (condition on c.hour), changed (hours of calls
-- c that are not clean, or 0). Parameters: project, start, end, those of the fragments.
-- Result: as scored_found.sql.
SELECT
    toString(c.name) AS name,
    $time AS time,
    $dimensions AS told,
    c.value AS value,
    c.label AS label,
    c.paid_for AS paid_for,
    c.cost_usd AS cost_usd,
    c.alone AS alone,
    c.trace_id AS trace_id,
    c.paid_part AS paid_part,
    c.paid_calls AS paid_calls
FROM scored_answers AS c FINAL
WHERE c.project = {project:String}
  AND $hours
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND $named
  AND $settled
  AND ($filters)
