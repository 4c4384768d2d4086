-- The scored answers of a window, found among its calls.
-- Fragments: answers (store/sql/scored_answers.sql; `own` holds whether the call is asked about, its dimensions and its time).
-- Parameters: those of it, start, end.
-- Result: name, time, told (the dimensions), value, label, cost_usd: what was paid for the answer, None where a part of that is
-- unknown; paid_for: what that is the cost of; alone: whether it is known that no other score of the name has the same;
-- trace_id, paid_part, paid_calls: which calls that is.
SELECT
    name,
    own.time AS time,
    own.told AS told,
    value,
    label,
    paid_for,
    cost_usd,
    false AS alone,
    trace_id,
    paid_part,
    paid_calls
FROM ($answers)
WHERE own.matches
  AND at >= toDateTime64({start:String}, 9, 'UTC')
  AND at < toDateTime64({end:String}, 9, 'UTC')
