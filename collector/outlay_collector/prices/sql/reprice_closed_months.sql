-- Closed months: what they said when they were closed, say now, and the adjustment between the two.
SELECT
    m.month AS month,
    m.closed_at AS closed_at,
    m.calls AS calls,
    m.cost_usd AS cost_usd,
    c.calls AS calls_now,
    c.cost_usd AS cost_now_usd,
    cost_now_usd - cost_usd AS adjustment_usd
FROM (SELECT * FROM closed_months FINAL WHERE project = {project:String}) AS m
LEFT ANY JOIN
(
    SELECT toStartOfMonth(started_at) AS month, count() AS calls, sum(ifNull(calls.cost_usd, 0)) AS cost_usd
    FROM calls FINAL
    WHERE project = {project:String}
        AND toStartOfMonth(started_at) IN (SELECT month FROM closed_months FINAL WHERE project = {project:String})
    GROUP BY month
) AS c ON m.month = c.month
ORDER BY month DESC
