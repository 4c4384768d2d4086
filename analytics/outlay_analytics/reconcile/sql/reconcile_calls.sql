-- Question: what did the calls of these days cost, and which of them leave the cost open?
-- Parameters: project, first_day, last_day (UTC, inclusive).
-- Result: one row per day, provider, model, priced model and service tier. priced_calls, priced_usd and input_usd are of
-- calls whose usage and price are known; fees_usd is the part of cost_usd that is not for tokens. The token counts are
-- disjoint, as meters of bills are: input neither cached nor written, cache_write without what is kept for an hour.
SELECT
    toDate(c.started_at) AS day,
    c.provider AS provider,
    c.model AS model,
    c.matched_model AS matched_model,
    c.service_tier AS service_tier,
    count() AS calls,
    countIf(c.cost_state = 'unpriced') AS unpriced_calls,
    countIf(c.cost_state = 'no_usage') AS no_usage_calls,
    countIf(c.cost_state = 'estimated') AS estimated_calls,
    countIf(c.cost_state = 'not_billed') AS failed_calls,
    countIf(c.cost_state = 'computed') AS priced_calls,
    sum(ifNull(c.cost_usd, 0)) AS cost_usd,
    sum(ifNull(c.list_cost_usd, 0)) AS list_cost_usd,
    sumIf(ifNull(c.cost_usd, 0), c.cost_state = 'estimated') AS estimated_usd,
    sumIf(ifNull(c.cost_usd, 0), c.cost_state = 'computed') AS priced_usd,
    sumIf(
        c.cost_lines['input'] + c.cost_lines['cache_read'] + c.cost_lines['cache_write']
        + c.cost_lines['cache_write_1h'],
        c.cost_state = 'computed'
    ) AS input_usd,
    sum(c.cost_lines['web_searches'] + c.cost_lines['file_searches']) AS fees_usd,
    sum(toInt64(ifNull(c.input_tokens, 0)) - toInt64(ifNull(c.cache_read_tokens, 0))
        - toInt64(ifNull(c.cache_write_tokens, 0))) AS input_tokens,
    sum(ifNull(c.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(toInt64(ifNull(c.cache_write_tokens, 0)) - toInt64(ifNull(c.cache_write_1h_tokens, 0))) AS cache_write_tokens,
    sum(ifNull(c.cache_write_1h_tokens, 0)) AS cache_write_1h_tokens,
    sum(ifNull(c.output_tokens, 0)) AS output_tokens,
    sumMap(c.other_usage) AS other_usage,
    sumMap(c.cost_lines) AS lines_usd
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({first_day:Date}, 9, 'UTC')
  AND c.started_at < toDateTime64({last_day:Date} + 1, 9, 'UTC')
  AND c.cost_state != 'cached'
GROUP BY day, provider, model, matched_model, service_tier
ORDER BY day, provider, model, matched_model, service_tier
