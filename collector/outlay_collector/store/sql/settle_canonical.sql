-- Stage 2 of settle: counts in canonical form (input includes cached reads and writes, output includes reasoning) from
-- what stage 1 read. NULL is unknown. A dialect's table says what its counts include; totals and sizes overrule it.
-- Fragments come from dialects/compile.py. Columns: table settle_spans in settle_tables.sql.
WITH
named AS (
    SELECT
        r.*,
        b.* EXCEPT (id),
        $counts,
        multiIf(
            f_provider = '', '?',
            provider_found[1] != '?', provider_found[1],
            provider_found[2] != '?', provider_found[2],
            provider_found[3] != '?', provider_found[3],
            lower(f_provider)
        ) AS provider_said,
        if(provider_found[4] NOT IN ('?', ''), provider_found[4], model_provider) AS provider_guessed
    FROM settle_raw AS r
    ANY LEFT JOIN settle_blobs AS b ON r.id = b.id
),
attributed AS (
    SELECT
        *,
        multiIf(
            host_provider != '' AND provider_said IN ('openai', '', '?'), host_provider,
            provider_said IN ('', '?'), provider_guessed,
            provider_said = 'openai' AND provider_guessed IN ($never_openai), provider_guessed,
            provider_said
        ) AS provider,
        ifNull(cache_write_5m_tokens_said, 0) + ifNull(cache_write_1h_tokens_said, 0) AS write_split,
        cache_write_tokens_said IS NULL AND cache_write_5m_tokens_said IS NULL AND cache_write_1h_tokens_said IS NULL AS write_unknown
    FROM named
),
summed AS (
    SELECT
        *,
        $input_excludes_cached AS input_table_excludes,
        $output_excludes_reasoning AS output_table_excludes,
        if(write_unknown, NULL, greatest(ifNull(cache_write_tokens_said, 0), write_split)) AS cache_write_tokens,
        ifNull(cache_read_tokens_said, 0) + greatest(ifNull(cache_write_tokens_said, 0), write_split) AS parts,
        coalesce(n_output_tokens, b_output_tokens) AS output_plain,
        if(n_output_tokens IS NULL, blob_output_excludes, output_table_excludes) AS output_known_excludes,
        ifNull(reasoning_tokens_said, 0) AS reasoning
    FROM attributed
),
-- Does the input count leave cached tokens out? The table says so, unless the totals say otherwise.
input_judged AS (
    SELECT
        *,
        ifNull(parts > 0 AND multiIf(
            n_input_tokens IS NULL, blob_input_excludes AND NOT ifNull(total_tokens_said = b_input_tokens + ifNull(output_plain, 0), false),
            n_input_tokens < parts, true,
            ifNull(total_tokens_said = n_input_tokens + parts + ifNull(output_plain, 0), false), true,
            input_table_excludes
        ), false) AS input_excludes
    FROM summed
),
input_counted AS (
    SELECT
        *,
        coalesce(n_input_tokens, b_input_tokens) + if(input_excludes, parts, 0) AS input_counted_tokens
    FROM input_judged
),
output_judged AS (
    SELECT
        *,
        ifNull(reasoning > 0 AND multiIf(
            reasoning > output_plain, true,
            ifNull(total_tokens_said = ifNull(input_counted_tokens, 0) + output_plain + reasoning, false), true,
            ifNull(total_tokens_said = ifNull(input_counted_tokens, 0) + output_plain, false), false,
            output_known_excludes
        ), false) AS output_excludes
    FROM input_counted
),
canonical AS (
    SELECT
        *,
        multiIf(
            output_excludes, output_plain + reasoning,
            -- Reasoning got lost on the way, but the provider's total still has it.
            output_known_excludes AND reasoning_tokens_said IS NULL AND ifNull(total_tokens_said > input_counted_tokens + output_plain, false), toUInt64(total_tokens_said - input_counted_tokens),
            output_plain
        ) AS output_counted_tokens,
        CAST(mapFilter((x, y) -> y > 0, map(
            'input_audio_tokens', ifNull(input_audio_tokens_said, 0),
            'output_audio_tokens', ifNull(output_audio_tokens_said, 0),
            'cache_read_audio_tokens', ifNull(cache_read_audio_tokens_said, 0),
            'input_image_tokens', ifNull(input_image_tokens_said, 0),
            'output_image_tokens', ifNull(output_image_tokens_said, 0),
            'web_searches', ifNull(web_searches_said, 0)
        )) AS Map(LowCardinality(String), UInt64)) AS other_counted,
        o_cache_kind != '' AND ifNull(cache_hit, false) AS cached
    FROM output_judged
),
weighed AS (
    SELECT
        *,
        ifNull(input_counted_tokens, 0) + ifNull(output_counted_tokens, 0) + parts + length(other_counted) > 0 AS has_counts,
        coalesce(toInt64(input_counted_tokens), toInt64(output_counted_tokens), toInt64(cache_read_tokens_said)) IS NOT NULL AS has_numbers,
        f_request_model != '' OR f_response_model != '' AS has_model
    FROM canonical
),
settled AS (
    SELECT
        *,
        has_counts AND NOT cached AS has_usage,
        has_numbers AND NOT has_counts AS zero_usage,
        toUInt8(multiIf(
            cached, 1,
            role = 3, if(has_counts OR f_response_id != '', 3, 0),
            role = 4, if(has_counts, 4, 0),
            role = 5, 0,
            role = 2, if(has_counts, 2, 0),
            role = 1, if(has_counts OR has_model, 1, 0),
            has_counts, 1,
            0
        )) AS usage_role
    FROM weighed
)
SELECT
    id,
    pid,
    rest.project AS project,
    rest.trace_id AS trace_id,
    rest.span_id AS span_id,
    rest.parent_span_id AS parent_span_id,
    rest.started_at AS started_at,
    rest.duration_ns AS duration_ns,
    rest.name AS name,
    rest.service AS service,
    rest.environment AS environment,
    rest.scope_name AS scope_name,
    $dialect_name AS dialect,
    -- What came off the wire untouched is believed before the span that wraps it.
    toUInt8($rank - if(usage_role = 3, 1, 0)) AS rank,
    usage_role,
    failed,
    cached,
    provider,
    -- After a failure the one model that is named is the one asked for.
    if(f_request_model = '' AND failed AND NOT has_counts AND f_response_id = '', f_response_model, f_request_model) AS request_model,
    if(failed AND NOT has_counts AND f_response_id = '', '', f_response_model) AS response_model,
    f_response_id AS response_id,
    multiIf(rest.service_tier != '', rest.service_tier, b_service_tier != '', b_service_tier, lower(rest.request_tier) IN ('auto', 'default'), '', rest.request_tier) AS service_tier,
    rest.operation AS operation,
    if(has_usage, input_counted_tokens, NULL) AS input_tokens,
    if(has_usage, cache_read_tokens_said, NULL) AS cache_read_tokens,
    if(has_usage, cache_write_tokens, NULL) AS cache_write_tokens,
    if(has_usage, cache_write_1h_tokens_said, NULL) AS cache_write_1h_tokens,
    if(has_usage, if(output_counted_tokens IS NULL AND rest.operation IN ('embeddings', 'rerank'), 0, output_counted_tokens), NULL) AS output_tokens,
    if(has_usage, reasoning_tokens_said, NULL) AS reasoning_tokens,
    if(has_usage, other_counted, CAST(map() AS Map(LowCardinality(String), UInt64))) AS other_usage,
    has_usage,
    has_usage AND (lower(rest.estimated) IN ('true', '1') OR (ifNull(streamed, false) AND rest.lacks_proof)) AS estimated,
    failed AND ($billed_failure OR (ifNull(streamed, false) AND (f_response_id != '' OR ifNull(rest.ttft_ms > 0, false)))) AS billed_failure,
    if(zero_usage, nullIf(toDecimal128OrNull(rest.cost_usd, 12), 0), toDecimal128OrNull(rest.cost_usd, 12)) AS reported_cost_usd,
    streamed,
    rest.ttft_ms AS time_to_first_token_ms,
    greatest(1, ifNull(accurateCastOrNull(toFloat64OrNull(rest.attempt), 'UInt16'), 1)) AS attempt,
    rest.request_id AS request_id,
    rest.error_type AS error_type,
    rest.context AS context,
    o_cache_kind AS cache_kind,
    cache_hit,
    toFloat64OrNull(rest.cache_similarity) AS cache_similarity,
    coalesce(accurateCastOrNull(round(toFloat64OrNull(rest.avoided_input)), 'UInt64'), if(cached, input_counted_tokens, NULL)) AS avoided_input_tokens,
    coalesce(accurateCastOrNull(round(toFloat64OrNull(rest.avoided_output)), 'UInt64'), if(cached, output_counted_tokens, NULL)) AS avoided_output_tokens,
    rest.tail_s AS tail_s,
    rest.prompt_parts AS prompt_parts,
    if(usage_role = 1, rest.prompt_hash, 0) AS prompt_hash,
    if(usage_role = 1, rest.prefix_hash, 0) AS prefix_hash,
    arrayFilter(x -> x != '', [
        if(zero_usage AND usage_role > 0, 'zero_usage', ''),
        if(has_usage AND input_excludes AND n_input_tokens IS NOT NULL AND NOT input_table_excludes, 'input_excludes_cached', ''),
        if(has_usage AND output_excludes AND NOT output_known_excludes, 'output_excludes_reasoning', ''),
        if(usage_role > 0 AND rest.unknown_library, 'unknown_library', ''),
        if(has_usage AND write_split > ifNull(cache_write_tokens_said, write_split), 'cache_write_split_larger', '')
    ]) AS flags,
    0 AS lookup,
    0 AS conflict,
    0 AS unattributed
FROM settled
