-- Rebuild the scored answers of some traces, with a tombstone for each that is no longer there.
-- Fragments: copied (names of the columns that answers keep of their calls).
INSERT INTO scored_answers
(
    project, hour, name, trace, about, value, label, cost_usd, paid_for, paid_part, paid_calls, alone, $copied, version, is_deleted
)
SELECT project, hour, name, trace, about, value, label, cost_usd, paid_for, paid_part, paid_calls, alone, $copied, version, is_deleted
FROM scored_fresh
UNION ALL
SELECT project, hour, name, trace, about, value, label, cost_usd, paid_for, paid_part, paid_calls, alone, $copied, {version:UInt64}, 1
FROM scored_answers FINAL
WHERE project = {project:String}
  AND hour >= {first_hour:DateTime('UTC')} AND hour <= {last_hour:DateTime('UTC')}
  AND trace IN (SELECT sipHash64(trace_id) FROM scored_traces)
  AND (hour, name, trace, about) NOT IN (SELECT hour, name, trace, about FROM scored_fresh)
SETTINGS max_insert_threads = 1
