-- Question: what do rules watch, in each interval of a window, by the values of some dimensions?
-- Fragments: source (see spend_source.py), keys (d0, d1, …, or nothing), repeated (the dimension of that name).
-- Parameters: those of the source.
-- Result: time (start of the interval), value (Array(String), of the dimensions in order), usd, calls, errors, priced, input,
-- cached (tokens), retry_usd.
SELECT
    time,
    CAST([$keys] AS Array(String)) AS value,
    sum(source.cost_usd) AS usd,
    sum(source.calls) AS calls,
    sum(source.errors) AS errors,
    sum(source.priced_calls) AS priced,
    sum(source.input_tokens) AS input,
    sum(source.cache_read_tokens) AS cached,
    sumIf(source.cost_usd, $repeated = '1') AS retry_usd
FROM $source AS source
GROUP BY time, value
ORDER BY time, value
