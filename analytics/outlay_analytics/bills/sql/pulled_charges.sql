-- Question: what do bills that were pulled charge between two days?
-- Parameters: project, accounts (their names), first_day, last_day (UTC, inclusive).
SELECT
    day,
    charge.provider AS provider,
    charge.model AS model,
    charge.service_tier AS service_tier,
    charge.kind AS kind,
    charge.usd AS usd,
    charge.list_usd AS list_usd,
    charge.meter AS meter,
    charge.account AS account,
    charge.key AS key,
    charge.quantity AS quantity,
    charge.unit AS unit,
    charge.region AS region
FROM
(
    SELECT
        day,
        charges
    FROM bill_days FINAL
    WHERE project = {project:String}
      AND account IN {accounts:Array(String)}
      AND notEmpty(pages)
      AND day BETWEEN {first_day:Date} AND {last_day:Date}
)
ARRAY JOIN charges AS charge
ORDER BY day, provider, model, service_tier, kind, meter, account, key
