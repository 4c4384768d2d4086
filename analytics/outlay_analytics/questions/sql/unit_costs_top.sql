-- Question: which units cost most?
-- Fragments: relation (as in unit_costs.sql), only (condition). Parameters: max_rows, those of the fragments.
-- Result: units as in the relation, the largest first.
SELECT unit, trace_id, calls, errors, priced_calls, cost_usd
FROM $relation AS units
WHERE is_unit AND ($only)
ORDER BY cost_usd DESC, calls DESC, unit, trace_id
LIMIT {max_rows:UInt64}
