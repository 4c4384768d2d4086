-- Usage spans of traces with aggregates: what each adds to the sums above it. Counts are input, cache read, cache write,
-- one-hour cache write, output, reasoning.
INSERT INTO settle_nodes
WITH
with_aggregates AS (
    SELECT DISTINCT project, trace_id
    FROM settle_usage
    WHERE id IN (SELECT id FROM settle_aggregates)
),
first_of_request AS (
    SELECT argMin(u.id, (u.usage_depth, u.started_at, u.id)) AS id
    FROM settle_usage AS u
    INNER JOIN settle_members AS m ON u.id = m.id
    WHERE NOT u.cached
    GROUP BY m.request, u.project, u.trace_id
)
SELECT
    u.id AS id,
    u.above AS above,
    u.usage_depth AS usage_depth,
    u.id IN (SELECT id FROM settle_aggregates) AS aggregate,
    u.id IN (SELECT id FROM first_of_request) AS counted,
    if(aggregate, s.has_usage, r.has_usage) AS has_usage,
    if(aggregate, s.failed, r.failed) AS failed,
    m.winner AS request,
    if(
        aggregate,
        [s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.cache_write_1h_tokens, s.output_tokens, s.reasoning_tokens],
        [r.input_tokens, r.cache_read_tokens, r.cache_write_tokens, r.cache_write_1h_tokens, r.output_tokens, r.reasoning_tokens]
    ) AS counts,
    if(s.response_model != '', s.response_model, s.request_model) AS model,
    s.provider AS provider
FROM (SELECT * FROM settle_usage WHERE (project, trace_id) IN (SELECT project, trace_id FROM with_aggregates)) AS u
INNER JOIN settle_spans AS s ON u.id = s.id
LEFT JOIN settle_members AS m ON u.id = m.id
LEFT JOIN settle_requests AS r ON m.winner = r.id
