-- Calls without a price that a price list has one for. priced is reprice_fees.sql with that list.
-- To merge the steps of so deep a statement takes longer than to run them.
SELECT
    count() AS calls,
    sum(cost_usd) AS usd,
    toDate(min(started_at)) AS first_day,
    toDate(max(started_at)) AS last_day,
    arraySort(groupUniqArray(20)(model)) AS models
FROM ($priced)
WHERE old_cost_state = 'unpriced' AND isNotNull(cost_usd)
SETTINGS query_plan_merge_expressions = 0
