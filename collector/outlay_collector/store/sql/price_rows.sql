-- The prices of the matched models as `price.sql` multiplies them: each part at its own price or the one standing in.
--
-- matched which models: a SELECT of price_version, provider, model
--
-- Bits by part: 0 input, 1 cache read, 2 cache write, 3 one-hour write, 4 output, 5 reasoning, 6 any other part,
-- 7 the whole row. `unknown`: there is no price; `stands_in`: another part's price is used; `borrowed`: from the
-- standard tier.
SELECT
    row,
    slot_key,
    valid_from,
    toDecimal64(ifNull(input_usd_per_mtok, 0), 12) AS input,
    toDecimal64(coalesce(cache_read_usd_per_mtok, input_usd_per_mtok, 0), 12) AS read,
    toDecimal64(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok, 0), 12) AS write,
    toDecimal64(
        coalesce(cache_write_1h_usd_per_mtok, cache_write_usd_per_mtok, input_usd_per_mtok, 0), 12
    ) AS write_1h,
    toDecimal64(ifNull(output_usd_per_mtok, 0), 12) AS output,
    toDecimal64(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok, 0), 12) AS reasoning,
    toDecimal64(other_usd_per_million['requests'], 12) AS requests,
    toDecimal64(ifNull(list_input_usd_per_mtok, 0), 12) AS list_input,
    toDecimal64(coalesce(list_cache_read_usd_per_mtok, list_input_usd_per_mtok, 0), 12) AS list_read,
    toDecimal64(coalesce(list_cache_write_usd_per_mtok, list_input_usd_per_mtok, 0), 12) AS list_write,
    toDecimal64(
        coalesce(list_cache_write_1h_usd_per_mtok, list_cache_write_usd_per_mtok, list_input_usd_per_mtok, 0), 12
    ) AS list_write_1h,
    toDecimal64(ifNull(list_output_usd_per_mtok, 0), 12) AS list_output,
    toDecimal64(coalesce(list_reasoning_usd_per_mtok, list_output_usd_per_mtok, 0), 12) AS list_reasoning,
    toDecimal64(list_other_usd_per_million['requests'], 12) AS list_requests,
    toUInt8(
        isNull(input_usd_per_mtok) + isNull(coalesce(cache_read_usd_per_mtok, input_usd_per_mtok)) * 2
        + isNull(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok)) * 4
        + isNull(coalesce(cache_write_1h_usd_per_mtok, cache_write_usd_per_mtok, input_usd_per_mtok)) * 8
        + isNull(output_usd_per_mtok) * 16
        + isNull(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok)) * 32
    ) AS unknown,
    toUInt8(
        isNull(cache_read_usd_per_mtok) * 2 + isNull(cache_write_usd_per_mtok) * 4
        + isNull(cache_write_1h_usd_per_mtok) * 8 + isNull(reasoning_usd_per_mtok) * 32
    ) AS stands_in,
    toUInt8(
        has(borrowed, 'input') + has(borrowed, 'cache_read') * 2 + has(borrowed, 'cache_write') * 4
        + has(borrowed, 'cache_write_1h') * 8 + has(borrowed, 'output') * 16 + has(borrowed, 'reasoning') * 32
        + arrayExists(part -> match(part, '_(audio|image|video)$$'), borrowed) * 64 + has(borrowed, '*') * 128
    ) AS borrowed
FROM prices
WHERE (price_version, provider, model) IN ($matched)
