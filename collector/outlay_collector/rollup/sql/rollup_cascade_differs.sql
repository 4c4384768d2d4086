-- Of the runs in `cascade_fresh` within one hour: in what their calls differ (`differs` of cascade_hourly), where they do.
SELECT
    run,
    toUInt8(
        (min(service) != max(service)) + 2 * (min(environment) != max(environment)) + 4 * (min(feature) != max(feature))
        + 8 * (min(team) != max(team))
    ) AS differs
FROM cascade_fresh
WHERE run NOT IN (SELECT run FROM cascade_spread)
GROUP BY run
HAVING differs != 0
