-- Question: which prompts were sent again, whole, and paid for again?
-- Fragments: filters. Parameters: project, start, end, max_rows.
-- Result: one row per feature, model and prompt: calls, repeats (all but the first), cost_usd, saving_usd (the cost of
-- the repeats: an exact cache would have answered them), trace_id of the newest call.
SELECT
    c.feature AS feature,
    c.provider AS provider,
    c.model AS model,
    any(c.prompt) AS prompt,
    count() AS calls,
    calls - 1 AS repeats,
    sum(c.cost_usd) AS cost_usd,
    cost_usd - argMin(c.cost_usd, (c.started_at, c.trace_id, c.span_id)) AS saving_usd,
    argMax(c.trace_id, (c.started_at, c.trace_id)) AS trace_id,
    max(c.started_at) AS last_at
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.prompt_hash != 0
  AND c.cost_usd > 0
  AND ($filters)
GROUP BY c.feature, c.provider, c.model, c.prompt_hash
HAVING repeats > 0
ORDER BY saving_usd DESC, trace_id
LIMIT {max_rows:UInt64}
