-- Write the lookups in the application's caches, with tombstones. A hit is a call (cached) that is priced by now; a miss
-- takes its model from the call below it.
INSERT INTO lookups
WITH
written AS (
    SELECT trace
    FROM settle_traces
    WHERE write
),
hits AS (
    SELECT trace_id, span_id, project, cache_avoided_usd
    FROM calls FINAL
    WHERE (project, toStartOfHour(started_at), trace_id) IN
    (
        SELECT project, toStartOfHour(started_at), trace_id
        FROM settle_spans
        WHERE cached
    ) AND cost_state = 'cached'
),
below AS (
    SELECT
        lookup AS id,
        argMin(if(response_model != '', response_model, request_model), started_at) AS model,
        argMin(provider, started_at) AS provider
    FROM settle_requests
    WHERE lookup != 0
    GROUP BY lookup
)
SELECT
    s.project AS project,
    s.trace_id AS trace_id,
    s.span_id AS span_id,
    s.started_at AS started_at,
    s.duration_ns AS duration_ns,
    s.cache_kind AS kind,
    s.cached AS hit,
    s.cache_similarity AS similarity,
    if(s.cached, h.cache_avoided_usd, NULL) AS avoided_usd,
    s.service AS service,
    s.environment AS environment,
    t.context['feature'] AS feature,
    t.context['team'] AS team,
    t.context['customer'] AS customer,
    t.context['user'] AS user,
    t.context['session'] AS session,
    t.context['task'] AS task,
    t.context['prompt'] AS prompt,
    t.context['prompt_version'] AS prompt_version,
    if(s.provider != '', s.provider, b.provider) AS provider,
    multiIf(s.response_model != '', s.response_model, s.request_model != '', s.request_model, b.model) AS model,
    CAST(mapApply((x, y) -> (substring(x, 5), y), mapFilter((x, y) -> startsWith(x, 'tag.'), t.context)) AS Map(LowCardinality(String), String)) AS tags,
    {version:UInt64} AS version,
    0 AS is_deleted
FROM (SELECT * FROM settle_spans WHERE cache_kind != '') AS s
INNER JOIN settle_tree AS t ON s.id = t.id
LEFT JOIN below AS b ON s.id = b.id
LEFT JOIN hits AS h ON s.project = h.project AND s.trace_id = h.trace_id AND s.span_id = h.span_id
WHERE s.trace IN (SELECT trace FROM written)
-- What is no more:
UNION ALL
SELECT
    * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM
(
    SELECT *
    FROM lookups FINAL
    WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
)
WHERE sipHash64(project, trace_id) IN (SELECT trace FROM written)
    AND (project, trace_id, span_id, toStartOfHour(started_at)) NOT IN (SELECT project, trace_id, span_id, toStartOfHour(started_at) FROM settle_spans WHERE cache_kind != '')
