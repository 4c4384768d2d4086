-- Question: which charge periods have calls, priced by which list, and about how many groups of rows do they hold?
-- Fragments: period, filters. Parameters: project, start, end, tag_keys, and those of the fragments.
-- Result: per period and price list: calls, priced_calls, charged (calls with a cost that somebody bills), groups.
SELECT
    $period AS period,
    c.price_version AS price_version,
    count() AS calls,
    countIf(isNotNull(c.cost_usd)) AS priced_calls,
    countIf(isNotNull(c.cost_usd) AND c.cost_state NOT IN ('not_billed', 'cached')) AS charged,
    uniq(
        c.service, c.environment, c.feature, c.team, c.customer, c.provider, c.model, c.service_tier, c.region,
        arrayMap(key -> c.tags[key], {tag_keys:Array(String)})
    ) AS groups
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND ($filters)
GROUP BY period, price_version
ORDER BY price_version, period
