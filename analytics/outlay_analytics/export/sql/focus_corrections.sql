-- Question: which stretches of closed months were repriced after they were closed, to which list?
-- Parameters: project. Result: one row per repricing and month: starts_at, ends_at (within the month), price_version.
SELECT
    greatest(r.starts_at, toDateTime64(m.month, 9, 'UTC')) AS starts_at,
    least(r.ends_at, toDateTime64(addMonths(m.month, 1), 9, 'UTC')) AS ends_at,
    r.price_version AS price_version
FROM
(
    SELECT project, starts_at, ends_at, price_version, created_at
    FROM repricings FINAL
    WHERE project = {project:String} AND state = 'applied'
) AS r
INNER JOIN
(
    SELECT project, month, closed_at
    FROM closed_months FINAL
    WHERE project = {project:String}
) AS m ON r.project = m.project
WHERE r.created_at > m.closed_at AND starts_at < ends_at
