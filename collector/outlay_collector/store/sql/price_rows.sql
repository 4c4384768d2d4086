-- The prices of the matched models as `price.sql` multiplies them: each part at its own price or the one standing in.
--
-- matched which models: a SELECT of provider, model; versions: of which lists
--
-- Rates, and bits from 0 on, by part: input, cache read, cache write, one-hour write, output, reasoning; then bit 6 for
-- any other part. `unknown`: there is no price (bit 7: nothing stands in for a fee); `stands_in`: another part's price is
-- used; `borrowed`: it is the standard tier's (bit 7: all of it is).
SELECT
    row,
    price_version,
    slot_key,
    valid_from,
    [
        toDecimal64(ifNull(input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(cache_read_usd_per_mtok, input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(cache_write_1h_usd_per_mtok, cache_write_usd_per_mtok, input_usd_per_mtok, 0), 12),
        toDecimal64(ifNull(output_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok, 0), 12),
        toDecimal64(other_usd_per_million['requests'], 12)
    ] AS rates,
    [
        toDecimal64(ifNull(list_input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(list_cache_read_usd_per_mtok, list_input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(list_cache_write_usd_per_mtok, list_input_usd_per_mtok, 0), 12),
        toDecimal64(
            coalesce(list_cache_write_1h_usd_per_mtok, list_cache_write_usd_per_mtok, list_input_usd_per_mtok, 0), 12
        ),
        toDecimal64(ifNull(list_output_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(list_reasoning_usd_per_mtok, list_output_usd_per_mtok, 0), 12),
        toDecimal64(list_other_usd_per_million['requests'], 12)
    ] AS list_rates,
    toUInt8(
        isNull(input_usd_per_mtok) + isNull(coalesce(cache_read_usd_per_mtok, input_usd_per_mtok)) * 2
        + isNull(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok)) * 4
        + isNull(coalesce(cache_write_1h_usd_per_mtok, cache_write_usd_per_mtok, input_usd_per_mtok)) * 8
        + isNull(output_usd_per_mtok) * 16
        + isNull(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok)) * 32 + 128
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
WHERE price_version IN ($versions) AND (provider, model) IN ($matched)
