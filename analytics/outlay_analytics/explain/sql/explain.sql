-- Question: what does one window say about every leaf, a feature's calls of one kind to one model?
-- Fragments: source (see folding.py over spend_source.py) with d0 the dimension asked for, d1 feature, d2 operation, d3 repeated,
-- d4 cascade tier, d5 provider, d6 model, d7 cost state. Parameters: max_rows, and those of the source.
-- Result: part, feature, embeds, kind (0 first attempt, 1 escalation, 2 billed repeat), provider, model, rest (bits: of
-- which of part, feature and model it holds all others); calls, cached,
-- failed, unknown, billed, unpriced (counts of calls); tokens by bucket over billed calls; cost and its lines in USD.
SELECT
    d0 AS part,
    d1 AS feature,
    d2 IN ('embeddings', 'rerank') AS embeds,
    multiIf(d3 = '1', 2, d4 NOT IN ('', '0'), 1, 0) AS kind,
    d5 AS provider,
    d6 AS model,
    rest,
    sum(source.calls) AS calls,
    sumIf(source.calls, d7 = 'cached') AS cached,
    sumIf(source.calls, d7 = 'not_billed') AS failed,
    sumIf(source.calls, d7 = 'no_usage') AS unknown,
    sumIf(source.calls, d7 NOT IN ('cached', 'not_billed', 'no_usage')) AS billed,
    sumIf(source.calls, d7 = 'unpriced') AS unpriced,
    sumIf(source.input_tokens, d7 NOT IN ('cached', 'not_billed', 'no_usage')) AS input,
    sumIf(source.cache_read_tokens, d7 NOT IN ('cached', 'not_billed', 'no_usage')) AS cache_read,
    sumIf(source.cache_write_tokens, d7 NOT IN ('cached', 'not_billed', 'no_usage')) AS cache_write,
    sumIf(source.cache_write_1h_tokens, d7 NOT IN ('cached', 'not_billed', 'no_usage')) AS cache_write_1h,
    sumIf(source.output_tokens, d7 NOT IN ('cached', 'not_billed', 'no_usage')) AS output,
    sum(source.cost_usd) AS usd,
    sum(source.line_input_usd) AS usd_input,
    sum(source.line_cache_read_usd) AS usd_read,
    sum(source.line_cache_write_usd) AS usd_write,
    sum(source.line_cache_write_1h_usd) AS usd_write_1h,
    sum(source.line_output_usd) AS usd_output
FROM $source AS source
GROUP BY part, feature, embeds, kind, provider, model, rest
ORDER BY part, feature, embeds, kind, provider, model, rest
LIMIT {max_rows:UInt64}
