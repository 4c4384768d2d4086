-- Question: how many lookups in semantic caches found which similarity, and what did the hits avoid?
-- Fragments: filters (conditions on c). Parameters: project, start, end, steps (the thresholds to tell apart, ascending).
-- Result: one row per number of steps that a similarity reaches: confidence, the lowest similarity, exact; runs (lookups);
-- priced_escalations, hits whose avoided cost is known, and rest_usd, what they avoided.
SELECT
    arrayCount(step -> step <= c.similarity, {steps:Array(Float64)}) AS reached,
    min(assumeNotNull(c.similarity)) AS confidence,
    count() AS runs,
    countIf(c.hit AND isNotNull(c.avoided_usd)) AS priced_escalations,
    sumIf(ifNull(c.avoided_usd, 0), c.hit) AS rest_usd
FROM lookups AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND isNotNull(c.similarity)
  AND isFinite(c.similarity)
  AND ($filters)
GROUP BY reached
