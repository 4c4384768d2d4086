-- Question: which long beginnings of prompts were sent again within minutes, and read from no cache?
-- Fragments: filters. Parameters: project, start, end, ttl_s (how long a provider keeps a prefix), prefix_tokens (its
-- length at least), max_rows.
-- Result: one row per feature, model and prefix of different prompts: calls, repeats (within ttl_s of the call before,
-- nothing read from the cache), their plain input tokens and what those cost, and how many of them are the prefix.
SELECT
    feature,
    provider,
    model,
    any(calls_prompt) AS prompt,
    count() AS calls,
    arraySort(groupArray((at, plain_tokens, plain_usd))) AS ordered,
    arrayFilter(
        (one, gap) -> gap <= {ttl_s:UInt32} AND one.2 > 0,
        arrayPopFront(ordered),
        arrayPopFront(arrayDifference(arrayMap(one -> one.1, ordered)))
    ) AS again,
    length(again) AS repeats,
    arraySum(one -> one.2, again) AS plain,
    arraySum(one -> one.3, again) AS plain_cost_usd,
    arraySum(one -> least(one.2, {prefix_tokens:UInt64}), again) AS prefix_part,
    sum(usd) AS cost_usd,
    argMax(trace, (at, trace)) AS trace_id
FROM
(
    SELECT
        c.feature AS feature,
        c.provider AS provider,
        c.model AS model,
        c.prompt AS calls_prompt,
        c.prefix_hash AS prefix,
        c.prompt_hash AS whole,
        c.trace_id AS trace,
        assumeNotNull(c.cost_usd) AS usd,
        toInt64(toUnixTimestamp(c.started_at)) AS at,
        if(
            ifNull(c.cache_read_tokens, 0) > 0 OR ifNull(c.cache_write_tokens, 0) >= assumeNotNull(c.input_tokens),
            toUInt64(0),
            toUInt64(assumeNotNull(c.input_tokens) - ifNull(c.cache_write_tokens, 0))
        ) AS plain_tokens,
        c.cost_lines['input'] AS plain_usd
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.prefix_hash != 0
      AND c.input_tokens > 0
      AND c.cost_usd > 0
      AND ($filters)
)
GROUP BY feature, provider, model, prefix
HAVING repeats > 0 AND uniqExact(whole) > 1
ORDER BY toFloat64(plain_cost_usd) * prefix_part / plain DESC, trace_id
LIMIT {max_rows:UInt64}
