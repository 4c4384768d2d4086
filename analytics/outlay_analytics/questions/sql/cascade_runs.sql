-- The runs of a cascade of which nothing was scored.
-- Fragments: hours and filters (conditions on c). Parameters: project, name, those of the fragments.
-- Result: one row per run: the confidence of its first tier (NULL where unknown), whether it and the further ones are
-- priced, and what they cost.
WITH ifNull(c.cascade_tier, 0) = 0 AS lowest
SELECT
    sipHash128(c.cascade_name, if(c.cascade_run_id = '', c.trace_id, c.cascade_run_id)) AS run,
    minIf(c.cascade_confidence, lowest) AS run_confidence,
    max(lowest AND isNotNull(c.cost_usd)) AS first_priced,
    max(NOT lowest AND isNotNull(c.cost_usd)) AS rest_priced,
    sumIf(ifNull(c.cost_usd, toDecimal128(0, 12)), lowest) AS first_cost,
    sumIf(ifNull(c.cost_usd, toDecimal128(0, 12)), NOT lowest) AS rest_cost
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND $hours
  AND c.cascade_name = {name:String}
  AND ($filters)
GROUP BY run
