-- Question: what do rules watch, hour by hour?
-- Fragments: source (see spend_source.py, by the hour) with d0 repeated, d1 cascade, d2 cascade tier. Parameters: those of
-- the source. Result: time (hour), usd, calls, errors, priced, input, cached (tokens), retry_usd, runs (first attempts of
-- cascades), escalated (calls at a later tier).
SELECT
    time,
    sum(source.cost_usd) AS usd,
    sum(source.calls) AS calls,
    sum(source.errors) AS errors,
    sum(source.priced_calls) AS priced,
    sum(source.input_tokens) AS input,
    sum(source.cache_read_tokens) AS cached,
    sumIf(source.cost_usd, d0 = '1') AS retry_usd,
    sumIf(source.calls, d1 != '' AND d2 IN ('', '0')) AS runs,
    sumIf(source.calls, d1 != '' AND d2 NOT IN ('', '0')) AS escalated
FROM $source AS source
GROUP BY time
ORDER BY time
