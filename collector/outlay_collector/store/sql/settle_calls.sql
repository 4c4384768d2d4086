-- Write the calls of this run, and in the same INSERT a tombstone for every call of its traces that is no more.
INSERT INTO calls
WITH
lookups_above AS (
    SELECT id, cache_kind, cache_hit, cache_similarity
    FROM settle_spans
    WHERE cache_kind != '' AND NOT cached
),
written AS (
    SELECT trace
    FROM settle_traces
    WHERE write
)
SELECT
    r.project AS project,
    r.trace_id AS trace_id,
    r.span_id AS span_id,
    0 AS n,
    r.parent_span_id AS parent_span_id,
    r.started_at AS started_at,
    r.duration_ns AS duration_ns,
    r.time_to_first_token_ms AS time_to_first_token_ms,
    r.name AS name,
    r.service AS service,
    r.environment AS environment,
    r.context['feature'] AS feature,
    r.context['team'] AS team,
    r.context['customer'] AS customer,
    r.context['user'] AS user,
    r.context['session'] AS session,
    r.context['task'] AS task,
    r.context['prompt'] AS prompt,
    r.context['prompt_version'] AS prompt_version,
    r.provider AS provider,
    r.request_model AS request_model,
    r.response_model AS response_model,
    if(r.response_model != '', r.response_model, r.request_model) AS model,
    r.response_id AS response_id,
    r.service_tier AS service_tier,
    if(r.operation = '', 'chat', r.operation) AS operation,
    if(p.from_cache, NULL, p.input_tokens) AS input_tokens,
    p.cache_read_tokens AS cache_read_tokens,
    p.cache_write_tokens AS cache_write_tokens,
    p.cache_write_1h_tokens AS cache_write_1h_tokens,
    if(p.from_cache, NULL, p.output_tokens) AS output_tokens,
    p.reasoning_tokens AS reasoning_tokens,
    r.other_usage AS other_usage,
    p.cost_usd AS cost_usd,
    p.list_cost_usd AS list_cost_usd,
    p.uncached_cost_usd AS uncached_cost_usd,
    p.cost_lines AS cost_lines,
    r.reported_cost_usd AS reported_cost_usd,
    p.cost_state AS cost_state,
    p.price_version AS price_version,
    p.matched_model AS matched_model,
    p.match_kind AS match_kind,
    r.streamed AS streamed,
    r.attempt AS attempt,
    r.request_id AS request_id,
    if(r.failed, 'error', 'ok') AS status,
    r.error_type AS error_type,
    r.dialect AS dialect,
    CAST(mapUpdate(
        mapApply((x, y) -> (substring(x, 5), y), mapFilter((x, y) -> startsWith(x, 'tag.'), r.context)),
        if(r.unattributed, map('unattributed', 'true'), CAST(map() AS Map(String, String)))
    ) AS Map(LowCardinality(String), String)) AS tags,
    r.context['cascade_name'] AS cascade_name,
    r.context['cascade_run_id'] AS cascade_run_id,
    accurateCastOrNull(toFloat64OrNull(r.context['cascade_tier']), 'UInt8') AS cascade_tier,
    r.context['cascade_outcome'] AS cascade_outcome,
    toFloat64OrNull(r.context['cascade_confidence']) AS cascade_confidence,
    toFloat64OrNull(r.context['cascade_threshold']) AS cascade_threshold,
    if(r.cache_kind != '', r.cache_kind, l.cache_kind) AS cache_kind,
    if(r.cache_kind != '', r.cache_hit, l.cache_hit) AS cache_hit,
    if(r.cache_kind != '', r.cache_similarity, l.cache_similarity) AS cache_similarity,
    -- materialize: a plain NULL would leave the other branch's values on disk, under the NULLs.
    if(p.from_cache, p.input_tokens, materialize(CAST(NULL AS Nullable(UInt64)))) AS cache_avoided_input_tokens,
    if(p.from_cache, p.output_tokens, materialize(CAST(NULL AS Nullable(UInt64)))) AS cache_avoided_output_tokens,
    if(p.from_cache, p.avoided_usd, materialize(CAST(NULL AS Nullable(Decimal(38, 12))))) AS cache_avoided_usd,
    r.context['experiment'] AS experiment,
    r.context['arm'] AS arm,
    r.context['route_tier'] AS route_tier,
    r.context['route_reason'] AS route_reason,
    r.prompt_parts AS prompt_parts,
    r.prompt_hash AS prompt_hash,
    r.prefix_hash AS prefix_hash,
    arrayConcat(r.flags, if(r.estimated, ['estimated_usage'], []), if(r.conflict, ['response_id_conflict'], []), if(p.is_filled, ['usage_from_parent'], [])) AS flags,
    {version:UInt64} AS version,
    0 AS is_deleted
FROM settle_requests AS r
LEFT ANY JOIN settle_priced AS p ON r.id = p.id
LEFT ANY JOIN lookups_above AS l ON r.lookup = l.id
WHERE r.trace IN (SELECT trace FROM written)
-- What is no more:
UNION ALL
SELECT
    * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM
(
    SELECT *
    FROM calls FINAL
    WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
)
WHERE sipHash64(project, trace_id) IN (SELECT trace FROM written)
    AND (project, trace_id, span_id, n, toStartOfHour(started_at)) NOT IN (SELECT project, trace_id, span_id, toUInt16(0), toStartOfHour(started_at) FROM settle_requests)
