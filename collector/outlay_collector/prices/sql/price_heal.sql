-- Calls without a price that a price list has one for. priced is price.sql over reprice_source.sql with that list.
SELECT
    count() AS calls,
    sum(cost_usd) AS usd,
    toDate(min(started_at)) AS first_day,
    toDate(max(started_at)) AS last_day,
    arraySort(groupUniqArray(20)(model)) AS models
FROM ($priced)
WHERE old_cost_state = 'unpriced' AND isNotNull(cost_usd)
