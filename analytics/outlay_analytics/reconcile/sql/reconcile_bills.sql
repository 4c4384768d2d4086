-- Question: which bills were imported, the newest first?
-- Fragment: only (a condition more).
-- Parameters: project.
SELECT
    bill,
    name,
    format,
    first_day,
    last_day,
    arraySum(charges.usd) AS billed_usd,
    lines,
    left_out,
    left_out_lines,
    imported_at
FROM bills FINAL
WHERE project = {project:String} AND $only
ORDER BY imported_at DESC, bill
LIMIT 1000
