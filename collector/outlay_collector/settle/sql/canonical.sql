-- Stage 2 of settle: what was read in canonical form (input includes cached reads and writes, output includes reasoning).
-- NULL is unknown. A dialect's table says what its counts include; totals and sizes overrule it.
-- Fragments come from dialects/compile.py: said_ are fields as they are written, own_ the application's own attributes,
-- count_ counts as they are written, blob_ what a usage object says of its own.
-- Columns: COLUMNS in facts.py.
WITH
numbered AS (
    SELECT
        r.id AS id,
        parent_id,
        trace,
        span,
        dialect_id,
        failed,
        rest,
        role_shown,
        kind_value,
        $kind_exact AS kind_exact,
        position(kind_value, 'dostream') > 0 AS streaming_kind,
        -- What a document says comes first: it is only asked for what no attribute says.
        mapConcat(i.said, r.said) AS said,
        i.counts AS inside_counts,
        mapApply((k, v) -> (k, toFloat64OrNull(v)), mapFilter((k, v) -> k BETWEEN $first_count AND $last_count, r.said)) AS numbers
    FROM settle_raw AS r
    ANY LEFT JOIN settle_inside AS i ON r.id = i.id
),
named AS (
    SELECT
        * EXCEPT (inside_counts, numbers, kind_value, kind_exact),
        if(kind_exact > 0, kind_exact, $kind_otherwise) AS kind_code,
        -- Of several names for a count the first attribute that holds one, else the usage object. Above 2^32 it is none.
        CAST(mapConcat(
            mapFilter((k, v) -> v IS NOT NULL, mapApply((k, v) -> (k, CAST(accurateCastOrNull(round(v), 'UInt32') AS Nullable(UInt64))), numbers)),
            inside_counts
        ), 'Array(Tuple(UInt8, Nullable(UInt64)))') AS counts_said,
        CAST(numbers, 'Array(Tuple(UInt8, Nullable(Float64)))') AS numbers_said,
        $said_request_model AS request_said,
        $said_response_model AS response_said,
        $said_response_id AS response_id,
        $said_ttft_at AS ttft_at,
        toFloat64OrNull($said_tail_s) AS tail_said,
        $own_cache_kind AS cache_kind,
        $own_cache_hit AS hit_said,
        lower($said_streamed) AS streamed_said
    FROM numbered
),
understood AS (
    SELECT
        * EXCEPT (role_shown, kind_code, streaming_kind, streamed_said, ttft_at, counts_said, numbers_said),
        arrayExists((one, n) -> n = 1 AND ifNull(one.2 >= 4294967296, false), numbers_said, arrayEnumerateUniq(numbers_said.1)) AS implausible,
        CAST(arrayFilter((one, n) -> n = 1, counts_said, arrayEnumerateUniq(counts_said.1)), 'Map(UInt8, Nullable(UInt64))') AS counts,
        if(role_shown > 0, role_shown, $role) AS role_read,
        $operation AS operation,
        if($said_error_type != '' OR NOT failed, $said_error_type, rest.exception_type) AS error_type,
        toLowCardinality(lower(if(request_said != '', request_said, response_said))) AS any_model,
        toLowCardinality(lower($said_provider)) AS provider_written,
        if($own_server_address != '', $own_server_address, $own_base_url) AS host,
        multiIf(streamed_said IN ('true', '1'), toNullable(true), streamed_said IN ('false', '0'), toNullable(false), streaming_kind, toNullable(true), NULL) AS streamed,
        toFloat32(coalesce(
            toFloat64OrNull($said_ttft_ms),
            toFloat64OrNull($said_ttft_s) * 1000,
            if(ttft_at = '', NULL, toFloat64(dateDiff('microsecond', toDateTime64(span.started_at, 6, 'UTC'), parseDateTime64BestEffortOrNull(ttft_at, 6, 'UTC'))) / 1000)
        )) AS ttft_ms
    FROM named
),
placed AS (
    SELECT
        * EXCEPT (any_model, host),
        -- As it is written, then without what follows the second dot, then the first; then what the model's prefix says.
        -- Each is a function of one short list of names, worked out once per name rather than per row.
        $provider_as_written AS spelled,
        $provider_of_two_parts AS spelled_two,
        $provider_of_one_part AS spelled_one,
        $provider_of_prefix AS spelled_prefix,
        $provider_of_model AS model_provider,
        $provider_of_host AS host_provider
    FROM understood
),
named_provider AS (
    SELECT
        * EXCEPT (spelled, spelled_two, spelled_one, spelled_prefix, model_provider, provider_written),
        multiIf(
            provider_written = '', '?',
            spelled != '?', spelled,
            spelled_two != '?', spelled_two,
            spelled_one != '?', spelled_one,
            provider_written
        ) AS provider_said,
        if(spelled_prefix NOT IN ('?', ''), spelled_prefix, model_provider) AS provider_guessed
    FROM placed
),
attributed AS (
    SELECT
        * EXCEPT (provider_said, provider_guessed, host_provider),
        multiIf(
            host_provider != '' AND provider_said IN ('openai', '', '?'), host_provider,
            provider_said IN ('', '?'), provider_guessed,
            provider_said = 'openai' AND provider_guessed IN ($never_openai), provider_guessed,
            provider_said = 'anthropic' AND provider_guessed = 'aws.bedrock', provider_guessed,
            provider_said
        ) AS provider,
        $count_input_tokens AS input_said,
        $blob_input_tokens AS input_in_blob,
        $count_output_tokens AS output_said,
        coalesce(output_said, $blob_output_tokens) AS output_plain,
        $count_total_tokens AS total,
        $count_cache_read_tokens AS cache_read,
        $count_cache_write_tokens AS write_said,
        $count_cache_write_1h_tokens AS write_1h,
        coalesce(write_said, $count_cache_write_5m_tokens, write_1h) IS NOT NULL AS write_known,
        ifNull($count_cache_write_5m_tokens, 0) + ifNull(write_1h, 0) AS write_split,
        greatest(ifNull(write_said, 0), write_split) AS write_tokens,
        ifNull(cache_read, 0) + write_tokens AS parts,
        $count_reasoning_tokens AS reasoning_said,
        ifNull(reasoning_said, 0) AS reasoning,
        coalesce(input_said, input_in_blob) AS input_plain
    FROM named_provider
),
-- Does the input count leave cached tokens out? The table says so, unless the totals say otherwise.
input_judged AS (
    SELECT
        *,
        $input_excludes_cached AS input_table_excludes,
        if(output_said IS NULL, $blob_output_excludes IS NOT NULL, $output_excludes_reasoning) AS output_known_excludes,
        ifNull(parts > 0 AND multiIf(
            input_said IS NULL, $blob_input_excludes IS NOT NULL AND NOT ifNull(total = input_in_blob + ifNull(output_plain, 0), false),
            input_said < parts, true,
            ifNull(total = input_said + parts + ifNull(output_plain, 0), false), true,
            input_table_excludes
        ), false) AS input_excludes,
        -- No input beside some output is a count that got lost, not a request without a prompt.
        if(
            ifNull(output_plain > 0 AND input_plain = 0 AND parts = 0, false),
            NULL,
            input_plain + if(input_excludes, parts, 0)
        ) AS input_counted
    FROM attributed
),
output_judged AS (
    SELECT
        *,
        ifNull(reasoning > 0 AND multiIf(
            reasoning > output_plain, true,
            ifNull(total = ifNull(input_counted, 0) + output_plain + reasoning, false), true,
            ifNull(total = ifNull(input_counted, 0) + output_plain, false), false,
            output_known_excludes
        ), false) AS output_excludes
    FROM input_judged
),
counted AS (
    SELECT
        * EXCEPT (output_plain, reasoning, total, input_plain, input_in_blob, counts),
        multiIf(
            output_excludes, output_plain + reasoning,
            -- Reasoning got lost on the way, but the provider's total still has it.
            output_known_excludes AND reasoning_said IS NULL AND ifNull(total > input_counted + output_plain, false), toUInt64(total - input_counted),
            output_plain
        ) AS output_counted,
        mapFilter((x, y) -> y > 0, mapUpdate(
            mapApply((k, v) -> ($other_names[k - $first_other + 1], ifNull(v, 0)), mapFilter((k, v) -> k BETWEEN $first_other AND $last_other, counts)),
            rest.units
        )) AS other_counted,
        cache_kind != '' AND lower(hit_said) IN ('true', '1') AS cached,
        input_counted IS NOT NULL OR output_counted IS NOT NULL OR cache_read IS NOT NULL AS has_numbers,
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
            role_read = 3, if(has_counts OR response_id != '', 3, 0),
            role_read = 4, if(has_counts, 4, 0),
            role_read = 5, 0,
            role_read = 2, if(has_counts, 2, 0),
            role_read = 1, if(has_counts OR request_said != '' OR response_said != '', 1, 0),
            has_counts, 1,
            0
        )) AS role,
        -- How long the stream took, said by the span at its end; elsewhere the name may mean anything.
        if(role = 4 AND ifNull(tail_said BETWEEN 0 AND 86400, false), tail_said, 0) AS tail_s
    FROM counted
)
SELECT
    id,
    parent_id,
    trace,
    span.project AS project,
    span.trace_id AS trace_id,
    span.span_id AS span_id,
    span.parent_span_id AS parent_span_id,
    span.started_at AS started_at,
    span.duration_ns AS duration_ns,
    started_at - toIntervalMicrosecond(toInt64(ifNull(tail_s, 0) * 1000000)) AS began_at,
    started_at + toIntervalNanosecond(duration_ns) AS ended_at,
    span.name AS name,
    span.service AS service,
    span.environment AS environment,
    span.scope_name AS scope_name,
    $dialect_name AS dialect,
    -- What came off the wire untouched is believed before the span that wraps it.
    toUInt8($rank - if(role = 3, 1, 0)) AS rank,
    role,
    failed,
    cached,
    provider,
    -- After a failure the one model that is named is the one asked for.
    if(request_said = '' AND failed AND NOT has_counts AND response_id = '', response_said, request_said) AS request_model,
    if(failed AND NOT has_counts AND response_id = '', '', response_said) AS response_model,
    response_id,
    arrayFirst(x -> x != '', [$said_service_tier, said[$b_service_tier], if(lower($said_request_tier) IN ('auto', 'default'), '', $said_request_tier)]) AS service_tier,
    operation,
    if(has_usage, input_counted, NULL) AS input_tokens,
    if(has_usage, cache_read, NULL) AS cache_read_tokens,
    if(has_usage AND write_known, write_tokens, NULL) AS cache_write_tokens,
    if(has_usage, write_1h, NULL) AS cache_write_1h_tokens,
    if(has_usage, if(output_counted IS NULL AND operation IN ('embeddings', 'rerank'), 0, output_counted), NULL) AS output_tokens,
    if(has_usage, reasoning_said, NULL) AS reasoning_tokens,
    if(has_usage, other_counted, CAST(map() AS Map(String, UInt64))) AS other_usage,
    has_usage,
    has_usage AND (lower($own_estimated) IN ('true', '1') OR (ifNull(streamed, false) AND rest.lacks_proof)) AS estimated,
    -- A first token, or a response's id on a stream, says that the provider had begun to answer.
    failed AND ($billed_failure OR (ifNull(ttft_ms > 0, false) OR (ifNull(streamed, false) AND response_id != ''))) AS billed_failure,
    if(zero_usage, nullIf(toDecimal128OrNull($said_cost_usd, 12), 0), toDecimal128OrNull($said_cost_usd, 12)) AS reported_cost_usd,
    streamed,
    ttft_ms AS time_to_first_token_ms,
    greatest(1, ifNull(accurateCastOrNull(toFloat64OrNull($own_attempt), 'UInt16'), 1)) AS attempt,
    $own_request_id AS request_id,
    error_type,
    rest.context AS context,
    cache_kind,
    multiIf(lower(hit_said) IN ('true', '1'), toNullable(true), cache_kind != '', toNullable(false), NULL) AS cache_hit,
    toFloat64OrNull($own_cache_similarity) AS cache_similarity,
    coalesce(accurateCastOrNull(round(toFloat64OrNull($own_avoided_input)), 'UInt32'), if(cached, input_counted, NULL)) AS avoided_input_tokens,
    coalesce(accurateCastOrNull(round(toFloat64OrNull($own_avoided_output)), 'UInt32'), if(cached, output_counted, NULL)) AS avoided_output_tokens,
    rest.prompt_parts AS prompt_parts,
    if(role = 1, rest.prompt_hash, 0) AS prompt_hash,
    if(role = 1, rest.prefix_hash, 0) AS prefix_hash,
    arrayFilter(x -> x != '', [
        if(zero_usage AND role > 0, 'zero_usage', ''),
        if(implausible AND role > 0, 'implausible_count', ''),
        if(has_usage AND input_excludes AND input_said IS NOT NULL AND NOT input_table_excludes, 'input_excludes_cached', ''),
        if(has_usage AND output_excludes AND NOT output_known_excludes, 'output_excludes_reasoning', ''),
        if(role > 0 AND rest.unknown_library, 'unknown_library', ''),
        if(has_usage AND write_split > ifNull(write_said, write_split), 'cache_write_split_larger', '')
    ]) AS flags,
    if(response_id = '' OR role = 0, 0, sipHash64(concat(project, '\0', response_id))) AS response_key,
    if(
        role = 1 AND has_usage AND ifNull(input_counted > 0 AND output_counted > 0, false) AND (parent_span_id = '' OR response_id = '' OR rank <= 10),
        sipHash64(concat('usage', project, '\0', service, '\0', toString(ifNull(input_counted, 0)), '\0', toString(ifNull(output_counted, 0)))),
        0
    ) AS fingerprint,
    if(
        dialect_id IN ($stream_dialects) AND (role = 4 OR (role = 1 AND NOT has_usage AND NOT failed)),
        sipHash64(concat('stream', project, '\0', service, '\0', scope_name, '\0', request_model)),
        0
    ) AS stream
FROM settled
-- Branches are cheap: to work them out for the rows that take them only costs a third of the statement.
SETTINGS short_circuit_function_evaluation = 'disable'
