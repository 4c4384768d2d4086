-- Question: what happened in every hour, by feature and model?
-- Fragments: source (see folding.py over spend_source.py) with d0 feature, d1 model, d2 repeated. Parameters: those of the source.
-- Result: time (start of the hour), feature, model, rest (bits: 1 all
-- other features, 2 all other models); usd, calls, in_tok, cached_tok, out_tok, retries.
SELECT
    time,
    d0 AS feature,
    d1 AS model,
    rest,
    sum(source.cost_usd) AS usd,
    sum(source.calls) AS calls,
    sum(source.input_tokens) AS in_tok,
    sum(source.cache_read_tokens) AS cached_tok,
    sum(source.output_tokens) AS out_tok,
    sumIf(source.calls, d2 = '1') AS retries
FROM $source AS source
GROUP BY time, feature, model, rest
ORDER BY time
