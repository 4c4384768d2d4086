-- Question: what do the calls cost that changes concern?
-- Fragments: priced (price.sql over the source with all changes, of the touched calls). Parameters: those of the fragment.
-- Result: per feature: calls, usd; models (names, at most 20) that have no price, or no price of their own for the tier or
-- for what is read from the cache.
SELECT
    feature,
    count() AS calls,
    sum(ifNull(cost_usd, toDecimal128(0, 12))) AS usd,
    groupUniqArrayIf(20)(request_model, isNull(cost_usd)) AS unpriced,
    groupUniqArrayIf(20)(request_model, match_kind LIKE '%+standard_tier%') AS without_tier,
    groupUniqArrayIf(20)(request_model, match_kind LIKE '%+read_at_input%') AS without_cache
FROM ($priced)
GROUP BY feature
