-- What no run has settled yet: traces that changed, by load, in the order of the loads; the last load is whole.
-- waiting says what that is. Parameter: rows, how many at least.
SELECT loader, seq, project, trace_id, spans, received_from
FROM dirty_traces
WHERE $waiting
ORDER BY loader, seq
LIMIT {rows:UInt64} WITH TIES
