-- Question: which days of which accounts are in force, and since when?
-- Parameters: project, first_day, last_day (UTC, inclusive).
SELECT
    account,
    day,
    format,
    pulled_at,
    arrayDistinct(charges.provider) AS providers
FROM bill_days FINAL
WHERE project = {project:String}
  AND day BETWEEN {first_day:Date} AND {last_day:Date}
ORDER BY account, day
