-- Calls of reprice_source.sql, priced, and what depends on the cost that is reported, as settle works it out
-- (`settle.calls`): what their provider charged beyond rounding, in billionths of a dollar, and whether the two differ.
-- priced is price.sql over reprice_source.sql.
SELECT
    * EXCEPT (fee_usd, rounding_usd) REPLACE (
        if(fee_usd > 0, cost_usd + fee_usd, cost_usd) AS cost_usd,
        if(fee_usd > 0, list_cost_usd + fee_usd, list_cost_usd) AS list_cost_usd,
        if(fee_usd > 0, uncached_cost_usd + fee_usd, uncached_cost_usd) AS uncached_cost_usd,
        if(fee_usd > 0, mapUpdate(cost_lines, map('provider_fee', fee_usd)), cost_lines) AS cost_lines,
        if(
            fee_usd > 0, mapUpdate(other_usage, map('provider_fee', toUInt64(fee_usd * 1000000000))), other_usage
        ) AS other_usage,
        arrayConcat(
            arrayFilter(flag -> flag != 'reported_cost_differs', flags),
            if(
                cost_state IN ($counting) AND fee_usd = 0
                AND ifNull(abs(reported_cost_usd - cost_usd), 0) > rounding_usd,
                ['reported_cost_differs'],
                []
            )
        ) AS flags
    )
FROM
(
    SELECT
        *,
        if(
            provider IN ($charging) AND cost_state = 'computed' AND NOT has(flags, 'reported_cost_by_library')
            AND ifNull(reported_cost_usd - cost_usd, 0) > rounding_usd,
            round(assumeNotNull(reported_cost_usd) - assumeNotNull(cost_usd), 9),
            toDecimal128(0, 12)
        ) AS fee_usd
    FROM
    (
        SELECT
            *,
            greatest(
                toDecimal128('$least_usd', 12), toDecimal128(ifNull(cost_usd, 0) * toDecimal64('$least_share', 3), 15)
            ) AS rounding_usd
        FROM ($priced)
    )
)
