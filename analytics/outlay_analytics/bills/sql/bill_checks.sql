-- Question: how much of the bills was explained, the newest comparison first?
-- Parameters: project, most.
SELECT
    checked_at,
    first_day,
    last_day,
    billed_usd,
    computed_usd,
    explained,
    reasons
FROM bill_checks
WHERE project = {project:String}
ORDER BY checked_at DESC
LIMIT {most:UInt32}
