-- Question: what part of the plain price does reading from the cache cost, by model, as far as calls have shown?
-- Fragments: source (see spend_source.py) with d0 provider and d1 model. Parameters: those of the source.
-- Result: one row per model: plain and read tokens, and what they cost.
SELECT
    d0 AS provider,
    d1 AS model,
    sum(source.line_input_usd) AS plain_usd,
    sum(source.input_tokens) - sum(source.cache_read_tokens) - sum(source.cache_write_tokens) AS plain_tokens,
    sum(source.line_cache_read_usd) AS read_usd,
    sum(source.cache_read_tokens) AS read_tokens,
    sum(source.calls) AS calls
FROM $source AS source
GROUP BY provider, model
LIMIT 100000
