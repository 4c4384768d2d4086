-- Parts of attempts as whole attempts. Fragments: parts (relations of cascade_parts.sql), own (a further column, with its
-- comma, or empty).
-- Result: as theirs, hour being that of the first part; own.
SELECT
    min(p.hour) AS hour,
    p.cascade AS cascade,
    p.run AS run,
    p.tier AS tier,
    p.said AS said,
    p.confidence AS confidence,
    argMin(p.first_model, p.first_order) AS first_model,
    min(p.started_at) AS started_at,
    min(p.first_order) AS first_order,
    max(p.last_order) AS last_order,
    max(p.ended_ns) AS ended_ns,
    argMax(p.failed, p.last_order) AS failed,
    max(p.forced) AS forced,
    sum(p.calls) AS calls,
    sum(p.priced_calls) AS priced_calls,
    sum(p.cost_usd) AS cost_usd,
    max(p.counted) AS counted,
    sumForEach(p.tokens) AS tokens,
    sumForEach(p.rate_tokens) AS rate_tokens,
    sumForEach(p.rate_usd) AS rate_usd,
    max(p.rate_at) AS rate_at,
    argMax(p.rate_of, p.rate_at) AS rate_of
    $own
FROM ($parts) AS p
GROUP BY cascade, run, tier, said, confidence
