-- Days that are over and whose calls changed since they were rolled up by dimension, newest first, with their number of
-- calls by spend_daily.
WITH due AS
(
    SELECT d.project AS project, d.day AS day, d.changed AS changed_at
    FROM
    (
        SELECT project, toStartOfDay(hour) AS day, max(changed_at) AS changed
        FROM dirty_hours
        GROUP BY project, day
        HAVING day + INTERVAL 1 DAY <= {now:DateTime('UTC')}
    ) AS d
    LEFT ANY JOIN
    (
        SELECT project, hour AS day, max(rolled_at) AS rolled
        FROM dimension_days
        WHERE dimension = ''
        GROUP BY project, day
    ) AS r ON d.project = r.project AND d.day = r.day
    WHERE NOT r.rolled > d.changed
    ORDER BY day DESC, project
    LIMIT {limit:UInt32}
)
SELECT due.project AS project, due.day AS day, due.changed_at AS changed_at, s.day_calls AS calls
FROM due
LEFT ANY JOIN
(
    SELECT project, hour AS day, sum(calls) AS day_calls
    FROM spend_daily FINAL
    WHERE (project, hour) IN (SELECT project, day FROM due)
    GROUP BY project, day
) AS s ON due.project = s.project AND due.day = s.day
ORDER BY day DESC, project
