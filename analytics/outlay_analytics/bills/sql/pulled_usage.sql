-- Question: what did providers count between two days?
-- Parameters: project, accounts (their names), first_day, last_day (UTC, inclusive).
SELECT
    day,
    one.provider AS provider,
    one.model AS model,
    one.service_tier AS service_tier,
    one.account AS account,
    one.key AS key,
    one.requests AS requests,
    one.tokens AS tokens
FROM
(
    SELECT
        day,
        usage
    FROM bill_days FINAL
    WHERE project = {project:String}
      AND account IN {accounts:Array(String)}
      AND notEmpty(pages)
      AND day BETWEEN {first_day:Date} AND {last_day:Date}
)
ARRAY JOIN usage AS one
ORDER BY day, provider, model, service_tier, account, key
