-- Repricings of a project with both figures, newest first; the part in closed books is an adjustment.
SELECT
    r.id AS id,
    r.starts_at AS start,
    r.ends_at AS end,
    r.price_version AS price_version,
    r.state AS state,
    r.created_at AS created_at,
    d.calls AS calls,
    d.newly_priced AS newly_priced,
    d.before_usd AS before_usd,
    d.after_usd AS after_usd,
    after_usd - before_usd AS change_usd,
    d.adjustment_usd AS adjustment_usd
FROM (SELECT * FROM repricings FINAL WHERE project = {project:String}) AS r
LEFT ANY JOIN
(
    SELECT
        repricing,
        sum(s.calls) AS calls,
        sum(s.newly_priced) AS newly_priced,
        sum(s.before_usd) AS before_usd,
        sum(s.after_usd) AS after_usd,
        sumIf(s.after_usd - s.before_usd, s.closed) AS adjustment_usd
    FROM repriced_days AS s FINAL
    GROUP BY repricing
) AS d ON r.id = d.repricing
ORDER BY created_at DESC, id
