-- Stage 2 of settle: what was read in canonical form (input includes cached reads and writes, output includes reasoning).
-- NULL is unknown. A dialect's table says what its counts include; totals and sizes overrule it.
-- Fragments come from dialects/compile.py. f: fields as they are written; c: counts as they are written, n_ from
-- attributes and b_ from usage objects where that matters; o: what the application's own attributes say.
-- Columns: table settle_spans in settle_tables.sql.
WITH
named AS (
    SELECT
        r.id AS id,
        pid,
        span,
        dialect_id,
        failed,
        rest,
        role_shown,
        $kind_code AS kind_code,
        position(kind_value, 'dostream') > 0 AS streaming_kind,
        $implausible AS implausible,
        tuple($text_fields) AS f,
        tuple($own_fields) AS o,
        tuple(
            $counts,
            blob_input_excludes,
            blob_output_excludes,
            i_service_tier
        ) AS c
    FROM settle_raw AS r
    ANY LEFT JOIN settle_inside AS i ON r.id = i.id
),
understood AS (
    SELECT
        id,
        pid,
        span,
        dialect_id,
        failed,
        rest,
        implausible,
        f,
        o,
        c,
        if(role_shown > 0, role_shown, $role) AS role,
        $operation AS operation,
        if(f.error_type != '' OR NOT failed, f.error_type, rest.exception_type) AS error_type,
        toLowCardinality(lower(if(f.request_model != '', f.request_model, f.response_model))) AS any_model,
        toLowCardinality(lower(f.provider)) AS provider_written,
        multiIf(lower(f.streamed) IN ('true', '1'), toNullable(true), lower(f.streamed) IN ('false', '0'), toNullable(false), streaming_kind, toNullable(true), NULL) AS streamed,
        toFloat32(coalesce(
            toFloat64OrNull(f.ttft_ms),
            toFloat64OrNull(f.ttft_s) * 1000,
            if(f.ttft_at = '', NULL, toFloat64(dateDiff('microsecond', toDateTime64(span.started_at, 6, 'UTC'), parseDateTime64BestEffortOrNull(f.ttft_at, 6, 'UTC'))) / 1000)
        )) AS ttft_ms
    FROM named
),
placed AS (
    SELECT
        * EXCEPT (any_model, provider_written),
        -- As it is written, then without what follows the second dot, then the first; then what the model's prefix says.
        arrayMap(x -> $provider_name, [
            provider_written,
            arrayStringConcat(arraySlice(splitByChar('.', provider_written), 1, 2), '.'),
            splitByChar('.', provider_written)[1],
            if(position(any_model, '/') > 0, splitByChar('/', any_model)[1], '-')
        ]) AS spelled,
        multiIf(
            provider_written = '', '?',
            spelled[1] != '?', spelled[1],
            spelled[2] != '?', spelled[2],
            spelled[3] != '?', spelled[3],
            toString(provider_written)
        ) AS provider_said,
        if(spelled[4] NOT IN ('?', ''), spelled[4], toString($provider_of_model)) AS provider_guessed,
        $provider_of_host AS host_provider
    FROM understood
),
attributed AS (
    SELECT
        * EXCEPT (spelled, provider_said, provider_guessed, host_provider),
        multiIf(
            host_provider != '' AND provider_said IN ('openai', '', '?'), host_provider,
            provider_said IN ('', '?'), provider_guessed,
            provider_said = 'openai' AND provider_guessed IN ($never_openai), provider_guessed,
            provider_said = 'anthropic' AND provider_guessed = 'aws.bedrock', provider_guessed,
            provider_said
        ) AS provider,
        ifNull(c.cache_write_5m_tokens, 0) + ifNull(c.cache_write_1h_tokens, 0) AS write_split,
        greatest(ifNull(c.cache_write_tokens, 0), write_split) AS write_tokens,
        ifNull(c.cache_read_tokens, 0) + write_tokens AS parts,
        coalesce(c.n_output_tokens, c.b_output_tokens) AS output_plain,
        ifNull(c.reasoning_tokens, 0) AS reasoning
    FROM placed
),
-- Does the input count leave cached tokens out? The table says so, unless the totals say otherwise.
input_judged AS (
    SELECT
        *,
        $input_excludes_cached AS input_table_excludes,
        if(c.n_output_tokens IS NULL, c.blob_output_excludes, $output_excludes_reasoning) AS output_known_excludes,
        ifNull(parts > 0 AND multiIf(
            c.n_input_tokens IS NULL, c.blob_input_excludes AND NOT ifNull(c.total_tokens = c.b_input_tokens + ifNull(output_plain, 0), false),
            c.n_input_tokens < parts, true,
            ifNull(c.total_tokens = c.n_input_tokens + parts + ifNull(output_plain, 0), false), true,
            input_table_excludes
        ), false) AS input_excludes,
        -- No input beside some output is a count that got lost, not a request without a prompt.
        if(
            ifNull(output_plain > 0, false) AND ifNull(coalesce(c.n_input_tokens, c.b_input_tokens) = 0, false) AND parts = 0,
            NULL,
            coalesce(c.n_input_tokens, c.b_input_tokens) + if(input_excludes, parts, 0)
        ) AS input_counted
    FROM attributed
),
output_judged AS (
    SELECT
        *,
        ifNull(reasoning > 0 AND multiIf(
            reasoning > output_plain, true,
            ifNull(c.total_tokens = ifNull(input_counted, 0) + output_plain + reasoning, false), true,
            ifNull(c.total_tokens = ifNull(input_counted, 0) + output_plain, false), false,
            output_known_excludes
        ), false) AS output_excludes
    FROM input_judged
),
counted AS (
    SELECT
        * EXCEPT (output_plain, reasoning),
        multiIf(
            output_excludes, output_plain + reasoning,
            -- Reasoning got lost on the way, but the provider's total still has it.
            output_known_excludes AND c.reasoning_tokens IS NULL AND ifNull(c.total_tokens > input_counted + output_plain, false), toUInt64(c.total_tokens - input_counted),
            output_plain
        ) AS output_counted,
        CAST(mapFilter((x, y) -> y > 0, mapUpdate(map(
            'input_audio_tokens', ifNull(c.input_audio_tokens, 0),
            'output_audio_tokens', ifNull(c.output_audio_tokens, 0),
            'cache_read_audio_tokens', ifNull(c.cache_read_audio_tokens, 0),
            'input_image_tokens', ifNull(c.input_image_tokens, 0),
            'output_image_tokens', ifNull(c.output_image_tokens, 0),
            'web_searches', ifNull(c.web_searches, 0)
        ), rest.units)) AS Map(LowCardinality(String), UInt64)) AS other_counted,
        o.cache_kind != '' AND lower(o.cache_hit) IN ('true', '1') AS cached,
        coalesce(toInt64(input_counted), toInt64(output_counted), toInt64(c.cache_read_tokens)) IS NOT NULL AS has_numbers,
        ifNull(input_counted, 0) + ifNull(output_counted, 0) + parts + length(other_counted) > 0 AS has_counts
    FROM output_judged
),
settled AS (
    SELECT
        * EXCEPT (has_numbers, parts),
        has_counts AND NOT cached AS has_usage,
        has_numbers AND NOT has_counts AS zero_usage,
        toUInt8(multiIf(
            cached, 1,
            role = 3, if(has_counts OR f.response_id != '', 3, 0),
            role = 4, if(has_counts, 4, 0),
            role = 5, 0,
            role = 2, if(has_counts, 2, 0),
            role = 1, if(has_counts OR f.request_model != '' OR f.response_model != '', 1, 0),
            has_counts, 1,
            0
        )) AS usage_role
    FROM counted
)
SELECT
    id,
    pid,
    span.project AS project,
    span.trace_id AS trace_id,
    span.span_id AS span_id,
    span.parent_span_id AS parent_span_id,
    span.started_at AS started_at,
    span.duration_ns AS duration_ns,
    span.name AS name,
    span.service AS service,
    span.environment AS environment,
    span.scope_name AS scope_name,
    $dialect_name AS dialect,
    -- What came off the wire untouched is believed before the span that wraps it.
    toUInt8($rank - if(usage_role = 3, 1, 0)) AS rank,
    usage_role,
    failed,
    cached,
    provider,
    -- After a failure the one model that is named is the one asked for.
    if(f.request_model = '' AND failed AND NOT has_counts AND f.response_id = '', f.response_model, f.request_model) AS request_model,
    if(failed AND NOT has_counts AND f.response_id = '', '', f.response_model) AS response_model,
    f.response_id AS response_id,
    multiIf(f.service_tier != '', f.service_tier, c.i_service_tier != '', c.i_service_tier, lower(f.request_tier) IN ('auto', 'default'), '', f.request_tier) AS service_tier,
    operation,
    if(has_usage, input_counted, NULL) AS input_tokens,
    if(has_usage, c.cache_read_tokens, NULL) AS cache_read_tokens,
    if(has_usage AND (c.cache_write_tokens IS NOT NULL OR c.cache_write_5m_tokens IS NOT NULL OR c.cache_write_1h_tokens IS NOT NULL), write_tokens, NULL) AS cache_write_tokens,
    if(has_usage, c.cache_write_1h_tokens, NULL) AS cache_write_1h_tokens,
    if(has_usage, if(output_counted IS NULL AND operation IN ('embeddings', 'rerank'), 0, output_counted), NULL) AS output_tokens,
    if(has_usage, c.reasoning_tokens, NULL) AS reasoning_tokens,
    if(has_usage, other_counted, CAST(map() AS Map(LowCardinality(String), UInt64))) AS other_usage,
    has_usage,
    has_usage AND (lower(o.estimated) IN ('true', '1') OR (ifNull(streamed, false) AND rest.lacks_proof)) AS estimated,
    -- A first token, or a response's id on a stream, says that the provider had begun to answer.
    failed AND ($billed_failure OR (ifNull(ttft_ms > 0, false) OR (ifNull(streamed, false) AND f.response_id != ''))) AS billed_failure,
    if(zero_usage, nullIf(toDecimal128OrNull(f.cost_usd, 12), 0), toDecimal128OrNull(f.cost_usd, 12)) AS reported_cost_usd,
    streamed,
    ttft_ms AS time_to_first_token_ms,
    greatest(1, ifNull(accurateCastOrNull(toFloat64OrNull(o.attempt), 'UInt16'), 1)) AS attempt,
    o.request_id AS request_id,
    error_type,
    rest.context AS context,
    o.cache_kind AS cache_kind,
    multiIf(lower(o.cache_hit) IN ('true', '1'), toNullable(true), o.cache_kind != '', toNullable(false), NULL) AS cache_hit,
    toFloat64OrNull(o.cache_similarity) AS cache_similarity,
    coalesce(accurateCastOrNull(round(toFloat64OrNull(o.avoided_input)), 'UInt64'), if(cached, input_counted, NULL)) AS avoided_input_tokens,
    coalesce(accurateCastOrNull(round(toFloat64OrNull(o.avoided_output)), 'UInt64'), if(cached, output_counted, NULL)) AS avoided_output_tokens,
    toFloat64OrNull(f.tail_s) AS tail_s,
    rest.prompt_parts AS prompt_parts,
    if(usage_role = 1, rest.prompt_hash, 0) AS prompt_hash,
    if(usage_role = 1, rest.prefix_hash, 0) AS prefix_hash,
    arrayFilter(x -> x != '', [
        if(zero_usage AND usage_role > 0, 'zero_usage', ''),
        if(implausible AND usage_role > 0, 'implausible_count', ''),
        if(has_usage AND input_excludes AND c.n_input_tokens IS NOT NULL AND NOT input_table_excludes, 'input_excludes_cached', ''),
        if(has_usage AND output_excludes AND NOT output_known_excludes, 'output_excludes_reasoning', ''),
        if(usage_role > 0 AND rest.unknown_library, 'unknown_library', ''),
        if(has_usage AND write_split > ifNull(c.cache_write_tokens, write_split), 'cache_write_split_larger', '')
    ]) AS flags,
    0 AS lookup,
    0 AS conflict,
    0 AS unattributed
FROM settled
-- Branches are cheap: to work them out for the rows that take them only costs a third of the statement.
SETTINGS short_circuit_function_evaluation = 'disable'
