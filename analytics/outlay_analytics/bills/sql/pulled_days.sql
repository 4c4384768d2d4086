-- Question: which days of which accounts are in force, and since when?
-- Parameters: project, accounts (their names), first_day, last_day (UTC, inclusive).
SELECT
    account,
    day,
    format,
    pulled_at,
    arrayDistinct(charges.provider) AS providers
FROM bill_days FINAL
WHERE project = {project:String}
  AND account IN {accounts:Array(String)}
  AND notEmpty(pages)
  AND day BETWEEN {first_day:Date} AND {last_day:Date}
ORDER BY account, day
