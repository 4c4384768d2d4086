-- Question: what do customers pay, as it was put over the API?
-- Parameters: project. Result: rows of the table, by customer and day.
SELECT
    customer,
    valid_from,
    usd_per_month
FROM revenue FINAL
WHERE project = {project:String}
ORDER BY customer, valid_from
