-- Question: which models were asked for, at whom, and how many of the calls say of what their prompt is made?
-- Fragments: source (simulate_source.sql), parts (the names of the parts of their prompts, as an aggregate). Parameters: those of
-- the source.
-- Result: one row per provider, model, names asked for and answered, service tier and region, the dearest first: parts.
SELECT
    provider,
    model,
    request_model,
    response_model,
    service_tier,
    region,
    $parts AS parts
FROM ($source)
GROUP BY provider, model, request_model, response_model, service_tier, region
ORDER BY sum(old_cost_usd) DESC, provider, model, request_model, response_model, service_tier, region
LIMIT 20000
