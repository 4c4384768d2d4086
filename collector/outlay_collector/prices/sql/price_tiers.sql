-- What calls would have cost in another service tier, per day, model and the tier they have.
-- priced is price.sql over reprice_source.sql with that tier; calls whose model has no such tier are left out.
-- To merge the steps of so deep a statement takes longer than to run them.
SELECT
    toDate(started_at) AS day,
    provider,
    model,
    old_matched_model AS matched_model,
    own_tier,
    sum(cost_usd) AS usd
FROM ($priced)
WHERE isNotNull(cost_usd) AND old_cost_state = 'computed' AND position(match_kind, '+standard_tier') = 0
GROUP BY day, provider, model, matched_model, own_tier
ORDER BY day, provider, model, matched_model, own_tier
SETTINGS query_plan_merge_expressions = 0
