-- Question: what did the providers' prefix caches save, and what did writing to them cost?
-- Fragments: source (see spend_source.py) with the dimensions asked for first, then provider, model, feature, service;
-- keys (`time`, d0 … asked for), all_keys (with the further ones), is_rest (whether a row holds the groups left out).
-- Parameters: max_rows, and those of the source.
-- Result: per group: is_rest, calls, priced_calls, no_usage_calls, tokens; net_saving_usd = uncached cost - cost, exact;
-- write_premium_usd = cost of the writes - the same tokens as plain input.
--
-- What a plain input token costs is taken from the sums of one model: (uncached cost - cost + all input lines) / input.
SELECT
    $keys,
    is_rest,
    sum(key_calls) AS calls,
    sum(key_priced_calls) AS priced_calls,
    sum(key_no_usage_calls) AS no_usage_calls,
    sum(key_input) AS input_tokens,
    sum(key_read) AS cache_read_tokens,
    sum(key_write) AS cache_write_tokens,
    sum(key_uncached_usd - key_usd) AS net_saving_usd,
    sum(if(
        key_write = 0 OR key_input = 0,
        toDecimal128(0, 12),
        key_write_usd - (key_uncached_usd - key_usd + key_input_usd + key_write_usd) * key_write / greatest(key_input, 1)
    )) AS write_premium_usd
FROM
(
    SELECT
        $all_keys,
        $is_rest AS is_rest,
        sum(source.calls) AS key_calls,
        sum(source.priced_calls) AS key_priced_calls,
        sum(source.no_usage_calls) AS key_no_usage_calls,
        sum(source.input_tokens) AS key_input,
        sum(source.cache_read_tokens) AS key_read,
        sum(source.cache_write_tokens) AS key_write,
        sum(source.cost_usd) AS key_usd,
        sum(source.uncached_cost_usd) AS key_uncached_usd,
        sum(source.line_input_usd + source.line_cache_read_usd) AS key_input_usd,
        sum(source.line_cache_write_usd + source.line_cache_write_1h_usd) AS key_write_usd
    FROM $source AS source
    GROUP BY $all_keys, is_rest
)
GROUP BY $keys, is_rest
ORDER BY input_tokens DESC, $keys
LIMIT {max_rows:UInt64}
