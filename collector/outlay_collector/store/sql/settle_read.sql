-- Stage 1 of settle: read spans through the dialect tables. One row per span with what it says, as it says it; JSON
-- texts are opened, nothing is judged yet (settle_canonical.sql does that).
-- Fragments come from dialects/compile.py; source is `spans` with its row filter.
-- No alias is used twice where it is made: the analyzer would copy its expression.
WITH
-- What passes through untouched travels as one tuple: the analyzer's work grows with the columns of every step.
interned AS (
    SELECT
        (project, trace_id, span_id, parent_span_id, duration_ns, service, environment, scope_name) AS span,
        started_at,
        name,
        status,
        version,
        texts,
        events.attributes AS event_attributes,
        $dialect_of_scope AS scope_dialect,
        mapKeys(attributes) AS k_all,
        mapValues(attributes) AS v_all,
        $key_ids AS ids_all
    FROM $source
),
recognized AS (
    SELECT
        * EXCEPT (ids_all),
        arrayFilter(x -> x > 0, ids_all) AS ids,
        arrayFilter((y, x) -> x > 0, v_all, ids_all) AS v,
        if(scope_dialect > 0, scope_dialect, $dialect_of_marks) AS dialect_id,
        arraySort(arrayFilter(x -> x > 0 AND x <= $context_keys, ids_all)) AS own_context_ids,
        arrayFilter(x -> ($tag_prefix), k_all) AS tag_keys,
        arrayFilter(x -> startsWith(x, 'outlay.prompt.part.') AND endsWith(x, '.tokens'), k_all) AS part_keys
    FROM interned
),
-- Which of the row's attributes the dialect looks for: value, preference and place, packed and sorted.
placed AS (
    SELECT
        *,
        arraySort(arrayFlatten(arrayMap(
            (x, n) -> arrayMap(hit -> hit * 65536 + n, $hits[dialect_id * $keys + x + 1]),
            ids,
            arrayEnumerate(ids)
        ))) AS places,
        arrayFirst(x -> has(ids, x), $kind_keys[dialect_id]) AS kind_id
    FROM recognized
),
heard AS (
    SELECT
        * EXCEPT (places),
        -- Looking up a name in a map gives the first entry of that name: the preferred spelling.
        CAST((
            arrayMap(x -> bitShiftRight(x, 24), places),
            arrayMap(x -> trim(BOTH '"' FROM v[bitAnd(x, 65535)]), places)
        ), 'Map(UInt8, String)') AS said
    FROM placed
),
looked_up AS (
    SELECT
        * EXCEPT (said, k_all, v_all),
        $documents,
        $direct_texts,
        $direct_counts,
        $blob_alone AS blob_alone,
        $prompts AS whole_prompt,
        $system_prompt AS system_prompt,
        -- What calls below inherit: of several spellings of a name the first wins.
        arrayConcat(arrayMap(x -> $context_names[x], own_context_ids), arrayMap(x -> $tag_name, tag_keys)) AS context_keys,
        arrayConcat(arrayMap(x -> v[indexOf(ids, x)], own_context_ids), arrayMap(x -> v_all[indexOf(k_all, x)], tag_keys)) AS context_values,
        CAST((
            arrayMap(x -> substring(x, 20, length(x) - 26), part_keys),
            arrayMap(x -> ifNull(accurateCastOrNull(toFloat64OrNull(v_all[indexOf(k_all, x)]), 'UInt64'), 0), part_keys)
        ), 'Map(LowCardinality(String), UInt64)') AS prompt_parts
    FROM heard
),
opened AS (
    SELECT
        *,
        toLowCardinality(if(kind_id = 0, '', concat(toString(kind_id), '=', lower(replaceAll(v[indexOf(ids, kind_id)], '"', ''))))) AS kind_value,
        $inside_texts,
        if(blob_alone != '', blob_alone, $blob_inside) AS usage_raw,
        toUInt8($blob_style) AS style,
        multiIf(whole_prompt != '', whole_prompt, NOT arrayExists(x -> ($prompt_prefix), mapKeys(texts)), '', arrayStringConcat(arraySort(arrayFilter(x -> x != '', arrayMap((x, y) -> if($prompt_prefix, concat(x, '=', y), ''), mapKeys(texts), mapValues(texts)))), '\n')) AS prompt
    FROM looked_up
),
chosen AS (
    SELECT
        *,
        $text_fields
    FROM opened
),
understood AS (
    SELECT
        *,
        $kind_code AS kind_code,
        CAST((
            arrayFilter((x, y, n) -> y != '' AND n = 1, context_keys, context_values, arrayEnumerateUniq(context_keys)),
            arrayFilter((y, x, n) -> y != '' AND n = 1, context_values, context_keys, arrayEnumerateUniq(context_keys))
        ), 'Map(String, String)') AS context,
        -- A Python repr of plain values becomes JSON; JSON stays as it is.
        if(startsWith(usage_raw, '{\''), replaceAll(replaceAll(replaceAll(replaceAll(usage_raw, '\'', '"'), 'None', 'null'), 'True', 'true'), 'False', 'false'), usage_raw) AS usage_text,
        toLowCardinality(lower(if(f_request_model != '', f_request_model, f_response_model))) AS any_model,
        toLowCardinality(lower(f_provider)) AS provider_written,
        if(o_server_address != '', o_server_address, o_base_url) AS host,
        status = 'error' OR toUInt16OrZero(o_http_status) >= 400 AS failed,
        multiIf(lower(f_streamed) IN ('true', '1'), toNullable(true), lower(f_streamed) IN ('false', '0'), toNullable(false), position(kind_value, 'dostream') > 0, toNullable(true), NULL) AS streamed,
        multiIf(lower(o_cache_hit) IN ('true', '1'), toNullable(true), o_cache_kind != '', toNullable(false), NULL) AS cache_hit,
        toFloat32(coalesce(
            toFloat64OrNull(f_ttft_ms),
            toFloat64OrNull(f_ttft_s) * 1000,
            if(f_ttft_at = '', NULL, toFloat64(dateDiff('microsecond', toDateTime64(started_at, 6, 'UTC'), parseDateTime64BestEffortOrNull(f_ttft_at, 6, 'UTC'))) / 1000)
        )) AS ttft_ms
    FROM chosen
),
parsed AS (
    SELECT
        *,
        $role AS role_said,
        $operation AS operation,
        $provider_of_model AS model_provider,
        $provider_of_host AS host_provider,
        -- As it is written, then without what follows the second dot, then the first.
        [
            $provider_whole,
            $provider_two,
            $provider_one,
            $provider_prefix
        ] AS provider_found,
        if(f_error_type != '' OR NOT failed, f_error_type, arrayFirst(x -> x != '', arrayMap(x -> x['exception.type'], event_attributes))) AS error_type
    FROM understood
)
SELECT
    sipHash64(span.1, span.2, span.3) AS id,
    if(span.4 = '', 0, sipHash64(span.1, span.2, span.4)) AS pid,
    version AS span_version,
    toUInt8(dialect_id) AS dialect_id,
    toUInt8(multiIf($raw_name, 3, $tail, 4, $aggregate_input, 2, role_said)) AS role,
    toUInt8(failed) AS failed,
    f_provider,
    provider_found,
    model_provider,
    host_provider,
    f_request_model,
    f_response_model,
    f_response_id,
    streamed,
    cache_hit,
    o_cache_kind,
    CAST((
        span.1,
        span.2,
        span.3,
        span.4,
        started_at,
        span.5,
        name,
        span.6,
        span.7,
        span.8,
        dialect_id,
        scope_dialect = 0 AND dialect_id = $default_dialect,
        $estimated,
        operation,
        f_service_tier,
        f_request_tier,
        error_type,
        f_cost_usd,
        toFloat64OrNull(f_tail_s),
        ttft_ms,
        o_attempt,
        o_request_id,
        o_estimated,
        o_cache_similarity,
        o_avoided_input,
        o_avoided_output,
        context,
        prompt_parts,
        if(prompt = '', 0, cityHash64(system_prompt, prompt)),
        if(length(system_prompt) + length(prompt) < 4096, 0, cityHash64(substring(concat(system_prompt, prompt), 1, 4096)))
    ), 'Tuple(project LowCardinality(String), trace_id String, span_id String, parent_span_id String, started_at DateTime64(9, \'UTC\'), duration_ns UInt64, name String, service LowCardinality(String), environment LowCardinality(String), scope_name LowCardinality(String), dialect_id UInt8, unknown_library UInt8, lacks_proof UInt8, operation String, service_tier String, request_tier String, error_type String, cost_usd String, tail_s Nullable(Float64), ttft_ms Nullable(Float32), attempt String, request_id String, estimated String, cache_similarity String, avoided_input String, avoided_output String, context Map(String, String), prompt_parts Map(LowCardinality(String), UInt64), prompt_hash UInt64, prefix_hash UInt64)') AS rest,
    $count_names,
    usage_text,
    style
FROM parsed
