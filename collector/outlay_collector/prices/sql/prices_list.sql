-- The prices of one list, for people: one row per model, tier, size, hours and start.
-- only: conditions on the columns. A model of exactly the name asked for comes first.
SELECT
    provider,
    model,
    splitByChar('@', p.service_tier)[1] AS service_tier,
    splitByChar('@', p.service_tier)[2] AS region,
    min_input_tokens,
    hours,
    if(p.valid_from = toDateTime64(0, 9, 'UTC'), NULL, p.valid_from) AS valid_from,
    if(p.until > toDateTime64('2261-01-01 00:00:00', 9, 'UTC'), NULL, p.until) AS valid_until,
    origin,
    source,
    checked,
    input_usd_per_mtok,
    cache_read_usd_per_mtok,
    cache_write_usd_per_mtok,
    cache_write_1h_usd_per_mtok,
    output_usd_per_mtok,
    reasoning_usd_per_mtok,
    other_usd_per_million,
    list_input_usd_per_mtok,
    list_output_usd_per_mtok,
    is_list,
    borrowed
FROM
(
    SELECT *, leadInFrame(valid_from, 1, toDateTime64('2262-01-01 00:00:00', 9, 'UTC')) OVER (
        PARTITION BY provider, model, service_tier, min_input_tokens, hours ORDER BY valid_from
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS until
    FROM prices FINAL
    WHERE price_version = {price_version:String}
) AS p
WHERE $only
ORDER BY lower(model) = lower({model:String}) DESC, provider, model, p.service_tier != 'standard', p.service_tier, min_input_tokens, hours, p.valid_from
LIMIT {limit:UInt32} OFFSET {offset:UInt64}
