-- Stage 1 of settle: read spans through the dialect tables. One row per span with what it says, as it says it; JSON
-- texts are opened, nothing is judged yet (settle_canonical.sql does that).
-- Fragments come from dialects/compile.py; source is `spans` with its row filter.
-- No alias is used twice where it is made: the analyzer would copy its expression.
WITH
interned AS (
    SELECT
        *,
        $dialect_of_scope AS scope_dialect,
        mapKeys(attributes) AS k,
        mapValues(attributes) AS v,
        $key_ids AS ids
    FROM $source
),
recognized AS (
    SELECT
        *,
        if(scope_dialect > 0, scope_dialect, $dialect_of_marks) AS dialect_id,
        arraySort(arrayFilter(x -> x > 0 AND x <= $context_keys, ids)) AS own_context_ids,
        arrayFilter(x -> ($tag_prefix), k) AS tag_keys,
        arrayFilter(x -> startsWith(x, 'outlay.prompt.part.') AND endsWith(x, '.tokens'), k) AS part_keys
    FROM interned
),
looked_up AS (
    SELECT
        *,
        $kind_id AS kind_id,
        $documents,
        $direct_texts,
        $direct_counts,
        $own_fields,
        $blob_alone AS blob_alone,
        $prompts AS whole_prompt,
        $system_prompt AS system_prompt,
        -- What calls below inherit: of several spellings of a name the first wins.
        arrayConcat(arrayMap(x -> $context_names[x], own_context_ids), arrayMap(x -> $tag_name, tag_keys)) AS context_keys,
        arrayConcat(arrayMap(x -> v[indexOf(ids, x)], own_context_ids), arrayMap(x -> v[indexOf(k, x)], tag_keys)) AS context_values,
        CAST((
            arrayMap(x -> substring(x, 20, length(x) - 26), part_keys),
            arrayMap(x -> ifNull(accurateCastOrNull(toFloat64OrNull(v[indexOf(k, x)]), 'UInt64'), 0), part_keys)
        ), 'Map(LowCardinality(String), UInt64)') AS prompt_parts
    FROM recognized
),
opened AS (
    SELECT
        *,
        lower(replaceAll(v[indexOf(ids, kind_id)], '"', '')) AS kind_value,
        $inside_texts,
        if(blob_alone != '', blob_alone, $blob_inside) AS usage_raw,
        toUInt8($blob_style) AS style,
        if(whole_prompt != '', whole_prompt, arrayStringConcat(arraySort(arrayFilter(x -> x != '', arrayMap((x, y) -> if($prompt_prefix, concat(x, '=', y), ''), mapKeys(texts), mapValues(texts)))), '\n')) AS prompt
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
        lower(if(f_request_model != '', f_request_model, f_response_model)) AS any_model,
        if(o_server_address != '', o_server_address, o_base_url) AS host,
        splitByChar('.', lower(f_provider)) AS provider_parts,
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
        JSONExtract(usage_text, $blob_type) AS b,
        $role AS role_said,
        $operation AS operation,
        $provider_of_model AS model_provider,
        $provider_of_host AS host_provider,
        [lower(f_provider), concat(provider_parts[1], '.', provider_parts[2]), provider_parts[1], if(position(any_model, '/') > 0, splitByChar('/', any_model)[1], '?')] AS provider_spellings,
        if(f_error_type != '' OR NOT failed, f_error_type, arrayFirst(x -> x != '', arrayMap(x -> x['exception.type'], events.attributes))) AS error_type
    FROM understood
)
SELECT
    sipHash64(project, trace_id, span_id) AS id,
    if(parent_span_id = '', 0, sipHash64(project, trace_id, parent_span_id)) AS pid,
    project,
    trace_id,
    span_id,
    parent_span_id,
    started_at,
    duration_ns,
    name,
    service,
    environment,
    scope_name,
    version AS span_version,
    dialect_id,
    toUInt8(scope_dialect = 0 AND dialect_id = $default_dialect) AS unknown_library,
    toUInt8(multiIf($raw_name, 3, $tail, 4, $aggregate_input, 2, role_said)) AS role,
    toUInt8($estimated) AS lacks_proof,
    toUInt8(failed) AS failed,
    operation,
    f_provider,
    $provider_names AS provider_found,
    model_provider,
    host_provider,
    f_request_model,
    f_response_model,
    f_response_id,
    f_service_tier,
    b.service_tier AS b_service_tier,
    f_request_tier,
    error_type,
    f_cost_usd,
    toFloat64OrNull(f_tail_s) AS tail_s,
    streamed,
    ttft_ms,
    cache_hit,
    $own_names,
    context,
    prompt_parts,
    system_prompt,
    prompt,
    $count_names,
    $blob_counts,
    $blob_input_excludes AS blob_input_excludes,
    $blob_output_excludes AS blob_output_excludes
FROM parsed
