-- Question: what do clean hours hold of the runs that are in none of the sums?
-- Fragments: table (cascade_parts, of runs over several hours, or cascade_mixed), stored (condition on h). Parameters: project,
-- those of the fragments.
-- Result: as cascade_parts.sql.
SELECT
    h.hour, h.cascade, h.run, h.tier, h.said, h.confidence, h.first_model, h.started_at, h.first_order, h.last_order,
    h.ended_ns, h.failed, h.forced, h.calls, h.priced_calls, h.cost_usd, h.counted, h.tokens, h.rate_tokens, h.rate_usd,
    h.rate_at, h.rate_of
FROM $table AS h FINAL
WHERE h.project = {project:String}
  AND $stored
