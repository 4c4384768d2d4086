-- Write the calls of this run, and in the same INSERT a tombstone for every call of its traces that is no more.
-- priced is PriceBook.price_select over settle_billable.sql.
INSERT INTO calls
WITH
lookups_above AS (
    SELECT id, cache_kind, cache_hit, cache_similarity
    FROM settle_spans
    WHERE cache_kind != '' AND NOT cached
),
written AS (
    SELECT project, trace_id
    FROM settle_traces
    WHERE write
)
SELECT
    c.project AS project,
    c.trace_id AS trace_id,
    c.span_id AS span_id,
    0 AS n,
    c.parent_span_id AS parent_span_id,
    c.started_at AS started_at,
    c.duration_ns AS duration_ns,
    c.time_to_first_token_ms AS time_to_first_token_ms,
    c.name AS name,
    c.service AS service,
    c.environment AS environment,
    c.context['feature'] AS feature,
    c.context['team'] AS team,
    c.context['customer'] AS customer,
    c.context['user'] AS user,
    c.context['session'] AS session,
    c.context['task'] AS task,
    c.context['prompt'] AS prompt,
    c.context['prompt_version'] AS prompt_version,
    c.provider AS provider,
    c.request_model AS request_model,
    c.response_model AS response_model,
    if(c.response_model != '', c.response_model, c.request_model) AS model,
    c.response_id AS response_id,
    c.service_tier AS service_tier,
    if(c.operation = '', 'chat', c.operation) AS operation,
    if(c.from_cache, NULL, c.input_tokens) AS input_tokens,
    c.cache_read_tokens AS cache_read_tokens,
    c.cache_write_tokens AS cache_write_tokens,
    c.cache_write_1h_tokens AS cache_write_1h_tokens,
    if(c.from_cache, NULL, c.output_tokens) AS output_tokens,
    c.reasoning_tokens AS reasoning_tokens,
    c.other_usage AS other_usage,
    c.cost_usd AS cost_usd,
    c.list_cost_usd AS list_cost_usd,
    c.uncached_cost_usd AS uncached_cost_usd,
    c.cost_lines AS cost_lines,
    c.reported_cost_usd AS reported_cost_usd,
    c.cost_state AS cost_state,
    c.price_version AS price_version,
    c.matched_model AS matched_model,
    c.match_kind AS match_kind,
    c.streamed AS streamed,
    c.attempt AS attempt,
    c.request_id AS request_id,
    if(c.has_failed, 'error', 'ok') AS status,
    c.error_type AS error_type,
    c.dialect AS dialect,
    CAST(mapUpdate(
        mapApply((x, y) -> (substring(x, 5), y), mapFilter((x, y) -> startsWith(x, 'tag.'), c.context)),
        if(c.unattributed, map('unattributed', 'true'), CAST(map() AS Map(String, String)))
    ) AS Map(LowCardinality(String), String)) AS tags,
    c.context['cascade_name'] AS cascade_name,
    c.context['cascade_run_id'] AS cascade_run_id,
    accurateCastOrNull(toFloat64OrNull(c.context['cascade_tier']), 'UInt8') AS cascade_tier,
    c.context['cascade_outcome'] AS cascade_outcome,
    toFloat64OrNull(c.context['cascade_confidence']) AS cascade_confidence,
    toFloat64OrNull(c.context['cascade_threshold']) AS cascade_threshold,
    if(c.cache_kind != '', c.cache_kind, l.cache_kind) AS cache_kind,
    if(c.cache_kind != '', c.cache_hit, l.cache_hit) AS cache_hit,
    if(c.cache_kind != '', c.cache_similarity, l.cache_similarity) AS cache_similarity,
    if(c.from_cache, c.input_tokens, NULL) AS cache_avoided_input_tokens,
    if(c.from_cache, c.output_tokens, NULL) AS cache_avoided_output_tokens,
    c.avoided_usd AS cache_avoided_usd,
    c.context['experiment'] AS experiment,
    c.context['arm'] AS arm,
    c.context['route_tier'] AS route_tier,
    c.context['route_reason'] AS route_reason,
    c.prompt_parts AS prompt_parts,
    c.prompt_hash AS prompt_hash,
    c.prefix_hash AS prefix_hash,
    arrayConcat(c.flags, if(c.conflict, ['response_id_conflict'], []), if(c.is_filled, ['usage_from_parent'], [])) AS flags,
    {version:UInt64} AS version,
    0 AS is_deleted
FROM
(
    $priced
) AS c
LEFT JOIN lookups_above AS l ON c.lookup = l.id
WHERE (c.project, c.trace_id) IN (SELECT project, trace_id FROM written)
UNION ALL
SELECT
    * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM
(
    SELECT *
    FROM calls FINAL
    WHERE (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours)
)
WHERE (project, trace_id) IN (SELECT project, trace_id FROM written)
    AND (project, trace_id, span_id, n, toStartOfHour(started_at)) NOT IN (SELECT project, trace_id, span_id, toUInt16(0), toStartOfHour(started_at) FROM settle_requests)
