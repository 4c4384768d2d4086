-- Question: which calls of these days does a client's span tell of, and which the provider's own?
-- Parameters: project, first_day, last_day (UTC, inclusive), scopes (of providers' own spans).
-- Result: one row per day, provider, model, priced model, service tier and witnesses, with cost_usd and calls.
WITH
    own AS (
        SELECT DISTINCT
            trace_id,
            span_id
        FROM spans
        WHERE project = {project:String}
          AND started_at >= toDateTime64({first_day:Date}, 9, 'UTC') - INTERVAL 1 DAY
          AND started_at < toDateTime64({last_day:Date} + 2, 9, 'UTC')
          AND scope_name IN {scopes:Array(String)}
    ),
    repeated AS (
        SELECT
            r.of_trace_id AS trace_id,
            r.of_span_id AS span_id,
            max((r.trace_id, r.span_id) IN (SELECT trace_id, span_id FROM own)) AS by_provider,
            max((r.trace_id, r.span_id) NOT IN (SELECT trace_id, span_id FROM own)) AS by_client
        FROM repeats AS r FINAL
        WHERE r.project = {project:String}
          AND r.started_at >= toDateTime64({first_day:Date}, 9, 'UTC') - INTERVAL 1 DAY
          AND r.started_at < toDateTime64({last_day:Date} + 2, 9, 'UTC')
          AND r.of_span_id != ''
        GROUP BY r.of_trace_id, r.of_span_id
    )
SELECT
    toDate(c.started_at) AS day,
    c.provider AS provider,
    c.model AS model,
    c.matched_model AS matched_model,
    (c.trace_id, c.span_id) NOT IN (SELECT trace_id, span_id FROM own)
        OR (c.trace_id, c.span_id) IN (SELECT trace_id, span_id FROM repeated WHERE by_client) AS has_client,
    (c.trace_id, c.span_id) IN (SELECT trace_id, span_id FROM own)
        OR (c.trace_id, c.span_id) IN (SELECT trace_id, span_id FROM repeated WHERE by_provider) AS has_provider,
    count() AS calls,
    sum(ifNull(c.cost_usd, 0)) AS cost_usd
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({first_day:Date}, 9, 'UTC')
  AND c.started_at < toDateTime64({last_day:Date} + 1, 9, 'UTC')
  AND c.cost_state != 'cached'
GROUP BY day, provider, model, matched_model, has_client, has_provider
ORDER BY day, provider, model, matched_model, has_client, has_provider
