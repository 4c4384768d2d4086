-- Question: how much of the prompts' input did the providers' caches give, hour by hour?
-- Fragments: not_answers (operations), filters (conditions on c). Parameters: project, start, end, keys (prompt, provider
-- and model of those asked for).
-- Result: one row per prompt, provider, model and hour, in order of time within each: calls whose usage is known, those that
-- read from the cache, tokens of input, read and neither read nor written, and what the last two cost.
SELECT
    c.prompt AS prompt,
    c.provider AS provider,
    c.model AS model,
    toStartOfHour(c.started_at) AS hour,
    count() AS calls,
    countIf(ifNull(c.cache_read_tokens, 0) > 0) AS hits,
    sum(assumeNotNull(c.input_tokens)) AS input_tokens,
    sum(ifNull(c.cache_read_tokens, 0)) AS read_tokens,
    sum(
        greatest(
            toInt64(assumeNotNull(c.input_tokens)) - toInt64(ifNull(c.cache_read_tokens, 0))
                - toInt64(ifNull(c.cache_write_tokens, 0)),
            0
        )
    ) AS plain_tokens,
    sum(c.cost_lines['cache_read']) AS read_usd,
    sum(c.cost_lines['input']) AS plain_usd
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND (c.prompt, c.provider, c.model) IN {keys:Array(Tuple(String, String, String))}
  AND isNotNull(c.input_tokens)
  AND c.cost_usd > 0
  AND c.operation NOT IN $not_answers
  AND ($filters)
GROUP BY prompt, provider, model, hour
ORDER BY prompt, provider, model, hour
