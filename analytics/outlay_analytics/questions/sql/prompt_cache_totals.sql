-- Question: which prompts were now and then read from a provider's cache, and at most how much may have been lost?
-- Fragments: not_answers, filters (as of prompt_cache_hours.sql). Parameters: project, start, end, least (calls).
-- Result: one row per prompt, provider and model that paid both prices, the largest first: most_usd, what all of its
-- input that was not read cost at its plain price.
SELECT
    c.prompt AS prompt,
    c.provider AS provider,
    c.model AS model,
    sum(toInt64(assumeNotNull(c.input_tokens)) - toInt64(ifNull(c.cache_read_tokens, 0))) AS not_read,
    sum(
        greatest(
            toInt64(assumeNotNull(c.input_tokens)) - toInt64(ifNull(c.cache_read_tokens, 0))
                - toInt64(ifNull(c.cache_write_tokens, 0)),
            0
        )
    ) AS plain_tokens,
    toFloat64(sum(c.cost_lines['input'])) * not_read / plain_tokens AS most_usd
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.prompt != ''
  AND isNotNull(c.input_tokens)
  AND c.cost_usd > 0
  AND c.operation NOT IN $not_answers
  AND ($filters)
GROUP BY prompt, provider, model
HAVING count() >= {least:UInt32}
   AND countIf(ifNull(c.cache_read_tokens, 0) > 0) > 0
   AND plain_tokens > 0
   AND most_usd > 0
ORDER BY most_usd DESC, prompt, provider, model
