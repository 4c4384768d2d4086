-- Question: which models were asked, at whom, and how many of the calls say of what their prompt is made?
-- Fragments: source (simulate_source.sql). Parameters: those of the fragment.
-- Result: per provider and model: calls, usd, parts (the names of the parts of their prompts).
SELECT
    provider,
    model,
    request_model,
    count() AS calls,
    sum(old_cost_usd) AS usd,
    groupUniqArrayArray(100)(mapKeys(prompt_parts)) AS parts
FROM ($source)
GROUP BY provider, model, request_model
ORDER BY usd DESC, provider, model, request_model
LIMIT 10000
