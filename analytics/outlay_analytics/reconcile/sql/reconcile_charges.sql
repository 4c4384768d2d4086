-- Question: what does a bill charge?
-- Parameters: project, bill.
SELECT
    charge.day AS day,
    charge.provider AS provider,
    charge.model AS model,
    charge.service_tier AS service_tier,
    charge.kind AS kind,
    charge.usd AS usd,
    charge.list_usd AS list_usd,
    detail.meter AS meter,
    detail.account AS account,
    detail.key AS key,
    detail.quantity AS quantity,
    detail.unit AS unit,
    detail.region AS region
FROM bills FINAL
ARRAY JOIN charges AS charge, arrayResize(meters, length(charges)) AS detail
WHERE project = {project:String} AND bill = {bill:String}
ORDER BY day, provider, model, service_tier, kind
