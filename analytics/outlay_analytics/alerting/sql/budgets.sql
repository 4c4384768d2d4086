-- Question: which budgets are kept in the store?
-- Parameters: project String (empty = every project), name String (empty = all). Result: as in the table, by name.
SELECT
    project,
    name,
    amount_usd,
    period,
    scope,
    timezone,
    per,
    window_hours,
    notify
FROM budgets FINAL
WHERE ({project:String} = '' OR project = {project:String})
    AND ({name:String} = '' OR name = {name:String})
ORDER BY project, name
