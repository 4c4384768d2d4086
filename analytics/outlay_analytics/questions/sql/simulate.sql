-- Question: what do the calls cost that changes concern?
-- Fragments: priced (price_alike.sql with its prices, by feature, over the source with all changes), names (of models, as they
-- are asked for), exact (whether the price of a row is that of its calls). Parameters: those of the fragments.
-- Result: per feature: calls, old_usd, usd, of the names that are priced exactly; the others (inexact); models (names, at most
-- 20) that have no price, whose calls do not say their tokens, or that have no price of their own for the tier or for what is
-- read from the cache.
SELECT
    feature,
    sumIf(calls, all_exact) AS calls,
    sumIf(old_usd, all_exact) AS old_usd,
    sumIf(ifNull(cost_usd, toDecimal128(0, 12)) * times, all_exact) AS usd,
    groupUniqArrayIf(($names), NOT all_exact) AS inexact,
    groupUniqArrayIf(20)(request_model, isNull(cost_usd) AND cost_state != 'no_usage') AS unpriced,
    groupUniqArrayIf(20)(request_model, isNull(cost_usd) AND cost_state = 'no_usage') AS without_usage,
    groupUniqArrayIf(20)(request_model, match_kind LIKE '%+standard_tier%') AS without_tier,
    groupUniqArrayIf(20)(request_model, match_kind LIKE '%+read_at_input%') AS without_cache
FROM
(
    SELECT *, min($exact) OVER (PARTITION BY $names) AS all_exact
    FROM ($priced)
)
GROUP BY feature
