-- Usage spans of traces with aggregates: what each adds to the sums above it.
INSERT INTO settle_nodes
WITH
with_aggregates AS (
    SELECT trace
    FROM settle_usage
    WHERE id IN (SELECT id FROM settle_aggregates)
),
first_of_request AS (
    SELECT argMin(u.id, (u.usage_depth, u.started_at, u.id)) AS id
    FROM settle_usage AS u
    INNER JOIN settle_members AS m ON u.id = m.id
    WHERE NOT u.cached
    GROUP BY m.request, u.trace
)
SELECT
    u.id AS id,
    u.above AS above,
    u.usage_depth AS usage_depth,
    u.id IN (SELECT id FROM settle_aggregates) AS aggregate,
    u.id IN (SELECT id FROM first_of_request) AS counted,
    if(aggregate, u.has_usage, r.has_usage) AS has_usage,
    if(aggregate, u.failed, r.failed) AS failed,
    m.winner AS request,
    arrayResize(if(aggregate, u.counts, r.counts), 6) AS counts,
    u.model AS model,
    u.provider AS provider
FROM (SELECT * FROM settle_usage WHERE trace IN (SELECT trace FROM with_aggregates)) AS u
LEFT ANY JOIN settle_members AS m ON u.id = m.id
LEFT ANY JOIN (SELECT id, has_usage, failed, counts FROM settle_requests) AS r ON m.winner = r.id
