-- Relation: the routed requests whose cost is known, retries together with what they repeat: task, stratum, trace_id, tier,
-- propensity, y (their cost in USD).
-- Fragments: task, stratum (texts on c), not_answers (operations), filters (conditions on c). Parameters: project, start, end.
SELECT
    $task AS task,
    $stratum AS stratum,
    c.trace_id AS trace_id,
    toString(c.route_tier) AS tier,
    assumeNotNull(c.route_propensity) AS propensity,
    if(c.request_id = '', concat(c.span_id, ' ', toString(c.n)), c.request_id) AS request,
    sum(toFloat64(ifNull(c.cost_usd, 0))) AS y
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.route_tier != ''
  AND isNotNull(c.route_propensity)
  AND c.cost_state != 'cached'
  AND c.operation NOT IN $not_answers
  AND ($filters)
GROUP BY task, stratum, trace_id, tier, propensity, request
HAVING countIf(isNull(c.cost_usd)) = 0
