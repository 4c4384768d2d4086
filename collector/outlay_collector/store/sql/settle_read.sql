-- Stage 1 of settle: what spans say, looked up through the dialect tables. One row per span. Nothing is judged and no
-- content is read here: settle_inside.sql opens the JSON texts of the few spans that need it, settle_canonical.sql says
-- what it all means.
-- Fragments come from dialects/compile.py; source is `spans` with its row filter.
-- What belongs together travels as one named tuple: the analyzer's work grows with the columns of every step.
WITH
interned AS (
    SELECT
        tuple(project, trace_id, span_id, parent_span_id, started_at, duration_ns, name, service, environment, scope_name, status) AS span,
        prompt_hash,
        prefix_hash,
        text_names,
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
        if(scope_dialect > 0, scope_dialect, $dialect_of_marks) AS dialect_id
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
        arrayFirst(x -> has(ids, x), $kind_keys[dialect_id]) AS kind_id,
        -- What calls below inherit: of several spellings of a name the first wins.
        arrayFilter(pair -> pair.2 != '', arrayConcat(
            arrayMap(x -> ($context_names[x], v[indexOf(ids, x)]), arraySort(arrayFilter(x -> x <= $context_keys, ids))),
            arrayMap((x, y) -> ($tag_name, y), arrayFilter(x -> ($tag_prefix), k_all), arrayFilter((y, x) -> ($tag_prefix), v_all, k_all))
        )) AS inherited
    FROM recognized
),
looked_up AS (
    SELECT
        * EXCEPT (places, kind_id, k_all, v_all, inherited),
        -- Looking up a name in a map gives the first entry of that name: the preferred spelling.
        CAST((
            arrayMap(x -> bitShiftRight(x, 24), places),
            arrayMap(x -> trim(BOTH '"' FROM v[bitAnd(x, 65535)]), places)
        ), 'Map(UInt8, String)') AS said,
        toLowCardinality(if(kind_id = 0, '', concat(toString(kind_id), '=', lower(replaceAll(v[indexOf(ids, kind_id)], '"', ''))))) AS kind_value,
        CAST(arrayFilter((x, n) -> n = 1, inherited, arrayEnumerateUniq(inherited.1)), 'Map(String, String)') AS context,
        CAST(arrayMap(
            (x, y) -> (substring(x, 20, length(x) - 26), ifNull(accurateCastOrNull(toFloat64OrNull(y), 'UInt64'), 0)),
            arrayFilter(x -> ($prompt_part), k_all),
            arrayFilter((y, x) -> ($prompt_part), v_all, k_all)
        ), 'Map(LowCardinality(String), UInt64)') AS prompt_parts,
        -- Billed units beside tokens, under names of their own: file_searches, input_pages, audio_seconds …
        CAST(arrayMap(
            (x, y) -> (substring(x, 14), ifNull(accurateCastOrNull(round(toFloat64OrNull(y)), 'UInt32'), 0)),
            arrayFilter(x -> ($billed_unit), k_all),
            arrayFilter((y, x) -> ($billed_unit), v_all, k_all)
        ), 'Map(String, UInt64)') AS units
    FROM placed
)
SELECT
    sipHash64(span.project, span.trace_id, span.span_id) AS id,
    if(span.parent_span_id IN ('', span.span_id), 0, sipHash64(span.project, span.trace_id, span.parent_span_id)) AS pid,
    span,
    toUInt8(dialect_id) AS dialect_id,
    -- A role that shows in the name or the keys, whatever the span says of itself.
    toUInt8(multiIf($raw_name, 3, $tail, 4, $aggregate_input, 2, 0)) AS role_shown,
    kind_value,
    said,
    toUInt8(span.status = 'error' OR toUInt16OrZero(said[$http_status]) >= 400 OR said[$level] = 'ERROR') AS failed,
    tuple(
        toUInt8(scope_dialect = 0 AND dialect_id = $default_dialect) AS unknown_library,
        toUInt8($estimated) AS lacks_proof,
        arrayFirst(x -> x != '', arrayMap(x -> x['exception.type'], event_attributes)) AS exception_type,
        context,
        prompt_parts,
        units,
        prompt_hash,
        prefix_hash
    ) AS rest,
    dialect_id IN ($opening_dialects) AND (hasAny(ids, $document_keys) OR hasAny(text_names, $document_names)) AS opens,
    toUInt8($blob_style) AS style
FROM looked_up
