-- Question: how much of the prompts' input did the providers' caches give, hour by hour?
-- Fragments: source (see prompt_source.py), not_answers (operations). Parameters: those of the source, keys (prompt, provider
-- and model of those asked for).
-- Result: one row per prompt, provider, model and hour, in order of time within each: calls whose usage is known, those that
-- read from the cache, tokens of input, read and neither read nor written, and what the last two cost.
SELECT
    p.prompt AS prompt,
    p.provider AS provider,
    p.model AS model,
    p.hour AS hour,
    sum(p.paid_calls) AS calls,
    sum(p.paid_hits) AS hits,
    sum(p.paid_input_tokens) AS input_tokens,
    sum(p.paid_read_tokens) AS read_tokens,
    sum(p.paid_plain_tokens) AS plain_tokens,
    sum(p.paid_read_usd) AS read_usd,
    sum(p.paid_plain_usd) AS plain_usd
FROM $source AS p
WHERE (p.prompt, p.provider, p.model) IN {keys:Array(Tuple(String, String, String))}
  AND p.paid_calls > 0
  AND p.operation NOT IN $not_answers
GROUP BY prompt, provider, model, hour
ORDER BY prompt, provider, model, hour
