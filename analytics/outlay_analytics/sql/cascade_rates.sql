-- Question: what were the tiers of cascades above the first charged, by part of their tokens?
-- Fragments: filters. Parameters: project, start, end.
-- Result: one row per cascade and tier: tokens and USD of the priced calls by part (input, read, write, write 1 h,
-- output; input and writes as counted, with their parts), and the price list and its model of the newest of them.
SELECT
    c.cascade_name AS cascade,
    toUInt16(assumeNotNull(c.cascade_tier)) AS tier,
    tuple(
        sum(ifNull(c.input_tokens, 0)),
        sum(ifNull(c.cache_read_tokens, 0)),
        sum(ifNull(c.cache_write_tokens, 0)),
        sum(ifNull(c.cache_write_1h_tokens, 0)),
        sum(ifNull(c.output_tokens, 0))
    ) AS priced_tokens,
    tuple(
        sum(c.cost_lines['input']),
        sum(c.cost_lines['cache_read']),
        sum(c.cost_lines['cache_write']),
        sum(c.cost_lines['cache_write_1h']),
        sum(c.cost_lines['output'] + c.cost_lines['reasoning'])
    ) AS priced_usd,
    argMaxIf(toString(c.price_version), c.started_at, c.matched_model != '' AND c.cost_usd > 0) AS version,
    argMaxIf(toString(c.matched_model), c.started_at, c.matched_model != '' AND c.cost_usd > 0) AS model
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.cascade_name != ''
  AND c.cascade_tier > 0
  AND isNotNull(c.cost_usd)
  AND ($filters)
GROUP BY cascade, tier
