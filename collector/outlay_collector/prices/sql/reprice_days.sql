-- Both figures of the calls that change, per day, feature and model.
-- To merge the steps of so deep a statement takes longer than to run them, and so does to order it where it is grouped.
SELECT *
FROM
(
    SELECT
        toDate(started_at) AS day,
        feature,
        provider,
        model,
        count() AS calls,
        countIf(isNull(old_cost_usd) AND isNotNull(cost_usd)) AS newly_priced,
        sum(ifNull(old_cost_usd, 0)) AS before_usd,
        sum(ifNull(cost_usd, 0)) AS after_usd
    FROM ($changes)
    GROUP BY day, feature, provider, model
)
ORDER BY day, abs(after_usd - before_usd) DESC, feature, provider, model
SETTINGS query_plan_merge_expressions = 0
