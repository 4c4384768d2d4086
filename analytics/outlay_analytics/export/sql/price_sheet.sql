-- Question: what does each unit of each model cost, contracted and at the provider's list?
-- Parameters: price_version. Result: one row per price and meter, as price.sql multiplies it: a part without a price of
-- its own at the one that stands in for it; NULL until when it holds, for as long as is known.
SELECT
    provider,
    model,
    service_tier,
    min_input_tokens,
    hours,
    if(valid_from = toDateTime64(0, 9, 'UTC'), NULL, valid_from) AS since,
    if(ends_at > toDateTime64('2261-01-01 00:00:00', 9, 'UTC'), NULL, ends_at) AS until,
    row AS price_row,
    origin,
    source,
    line.1 AS line_name,
    line.2 AS rate,
    line.3 AS list_rate
FROM
(
    SELECT
        *,
        rates,
        list_rates,
        unknown,
        stands_in,
        leadInFrame(valid_from, 1, toDateTime64('2262-01-01 00:00:00', 9, 'UTC')) OVER (
            PARTITION BY provider, model, service_tier, min_input_tokens, hours ORDER BY valid_from
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS ends_at
    FROM prices FINAL
    WHERE price_version = {price_version:String}
)
ARRAY JOIN arrayConcat(
    arrayFilter(
        line -> line.4,
        arrayMap(
            (name, rate, list_rate, bit) -> (
                name,
                toDecimal128(rate, 12),
                toDecimal128(list_rate, 12),
                NOT bitTest(unknown, bit) AND (bit < 5 OR NOT bitTest(stands_in, bit))
            ),
            ['input', 'cache_read', 'cache_write', 'cache_write_1h', 'output', 'reasoning'],
            arraySlice(rates, 1, 6), arraySlice(list_rates, 1, 6), [0, 1, 2, 3, 4, 5]
        )
    ),
    arrayMap(
        (name, rate) -> (
            toString(name),
            rate,
            if(mapContains(list_other_usd_per_million, name), list_other_usd_per_million[name], rate),
            1
        ),
        mapKeys(other_usd_per_million), mapValues(other_usd_per_million)
    )
) AS line
ORDER BY provider, model, service_tier != 'standard', service_tier, min_input_tokens, hours, valid_from, line_name
