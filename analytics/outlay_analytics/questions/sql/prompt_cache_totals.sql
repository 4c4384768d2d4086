-- Question: which prompts were now and then read from a provider's cache, and at most how much may have been lost?
-- Fragments: source, not_answers (as of prompt_cache_hours.sql). Parameters: those of the source, least (calls).
-- Result: one row per prompt, provider and model that paid both prices, the largest first: most_usd, what all of its
-- input that was not read cost at its plain price.
SELECT
    p.prompt AS prompt,
    p.provider AS provider,
    p.model AS model,
    toInt64(sum(p.paid_input_tokens)) - toInt64(sum(p.paid_read_tokens)) AS not_read,
    sum(p.paid_plain_tokens) AS plain_tokens,
    toFloat64(sum(p.paid_plain_usd)) * not_read / plain_tokens AS most_usd
FROM $source AS p
WHERE p.operation NOT IN $not_answers
GROUP BY prompt, provider, model
HAVING sum(p.paid_calls) >= {least:UInt32}
   AND sum(p.paid_hits) > 0
   AND plain_tokens > 0
   AND most_usd > 0
ORDER BY most_usd DESC, prompt, provider, model
