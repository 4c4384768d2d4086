-- Stage 1 of settle: what spans say, looked up through the dialect tables. One row per span. Nothing is judged and no
-- content is read here: inside.sql opens the JSON texts of the few spans that need it, canonical.sql says what it all
-- means.
-- Fragments come from dialects/compile.py; which says what spans of `spans` are read.
-- What belongs together travels as one named tuple: the analyzer's work grows with the columns of every step.
WITH
interned AS (
    SELECT
        tuple(project, trace_id, span_id, parent_span_id, started_at, duration_ns, name, service, environment, scope_name, status) AS span,
        prompt_hash,
        prefix_hash,
        version,
        text_names,
        events.attributes AS event_attributes,
        $dialect_of_scope AS scope_dialect,
        mapKeys(attributes) AS names_all,
        mapValues(attributes) AS values_all,
        arrayMap(x -> $key_number, names_all) AS numbers_all
    FROM
    (
        SELECT *, prompt_hash, prefix_hash, texts.keys AS text_names
        FROM spans FINAL
        WHERE $which
    )
),
-- Only attributes that some table mentions, or whose beginning says what they are (free), go on.
known AS (
    SELECT
        * EXCEPT (names_all, values_all, numbers_all),
        arrayFilter(one -> one.1 > 0, arrayMap(
            (x, y) -> (arrayFirstIndex(beginning -> startsWith(x, beginning), $free_beginnings), x, y),
            arrayFilter((x, n) -> n >= 65536, names_all, numbers_all),
            arrayFilter((y, n) -> n >= 65536, values_all, numbers_all)
        )) AS free,
        arrayFilter((y, n) -> n > 0, values_all, numbers_all) AS v,
        arrayMap(n -> toUInt16(n % 65536), arrayFilter(n -> n > 0, numbers_all)) AS ids
    FROM interned
),
recognized AS (
    SELECT
        *,
        toUInt8(multiIf(scope_dialect > 0, scope_dialect, empty(ids), $default_dialect, arrayMin(arrayMap(x -> $mark_dialects[x + 1], ids)))) AS dialect_id
    FROM known
),
-- Which of the row's attributes the dialect looks for, and for what. No lambda holds the row's texts: they would be copied
-- for each element.
hit AS (
    SELECT
        *,
        arrayMap(x -> $hits[dialect_id * $keys + x + 1], ids) AS hits,
        arrayFirst(x -> has(ids, x), $kind_keys[dialect_id]) AS kind_id,
        arrayFilter(x -> x BETWEEN 1 AND $context_keys, ids) AS context_ids,
        -- What calls below inherit: of several spellings of a name the first wins.
        arrayFilter(pair -> pair.2 != '', arrayConcat(
            arrayMap(
                (x, y) -> ($context_names[x], y),
                arraySort(context_ids),
                arraySort((y, x) -> x, arrayFilter((y, x) -> x BETWEEN 1 AND $context_keys, v, ids), context_ids)
            ),
            arrayMap(one -> (concat('tag.', substring(one.2, $free_lengths[one.1] + 1)), one.3), arrayFilter(one -> one.1 <= $tags, free))
        )) AS inherited,
        arrayFilter(one -> one.1 = $tags + 1 AND endsWith(one.2, '.tokens'), free) AS parts,
        arrayFilter(one -> one.1 = $tags + 2 AND position(one.2, '.', 14) = 0 AND one.2 != 'outlay.usage.estimated', free) AS billed
    FROM recognized
),
-- Value looked up, preference and place, packed, beside the attribute's value. Few attributes are wanted for two values.
placed AS (
    SELECT
        * EXCEPT (free, hits, context_ids),
        arrayConcat(
            arrayMap((h, n) -> toUInt32(bitAnd(h, 65535) * 65536 + n), hits, arrayEnumerate(hits)),
            arrayMap(h -> toUInt32(bitAnd(h, 4294901760)), arrayFilter(h -> h >= 65536, hits))
        ) AS places_all,
        arrayConcat(v, arrayFilter((y, h) -> h >= 65536, v, hits)) AS values_all,
        arrayFilter(p -> p >= 65536, places_all) AS places,
        arrayFilter((y, p) -> p >= 65536, values_all, places_all) AS place_values
    FROM hit
),
looked_up AS (
    SELECT
        * EXCEPT (places_all, values_all, places, place_values, kind_id, inherited, parts, billed),
        -- Looking up a name in a map gives the first entry of that name: the preferred spelling.
        CAST((
            arrayMap(p -> bitShiftRight(p, 24), arraySort(places)),
            arrayMap(y -> trim(BOTH '"' FROM y), arraySort((y, p) -> p, place_values, places))
        ), 'Map(UInt8, String)') AS said,
        toLowCardinality(if(kind_id = 0, '', concat(toString(kind_id), '=', lower(replaceAll(v[indexOf(ids, kind_id)], '"', ''))))) AS kind_value,
        CAST(arrayFilter((one, n) -> n = 1, inherited, arrayEnumerateUniq(inherited.1)), 'Map(String, String)') AS context,
        CAST(arrayMap(
            one -> (substring(one.2, 20, length(one.2) - 26), ifNull(accurateCastOrNull(toFloat64OrNull(one.3), 'UInt64'), 0)), parts
        ), 'Map(String, UInt64)') AS prompt_parts,
        -- Billed units beside tokens, under names of their own: file_searches, input_pages, audio_seconds …
        CAST(arrayMap(
            one -> (substring(one.2, 14), ifNull(accurateCastOrNull(round(toFloat64OrNull(one.3)), 'UInt32'), 0)), billed
        ), 'Map(String, UInt64)') AS units
    FROM placed
)
SELECT
    sipHash64(span.project, span.trace_id) AS trace,
    bitXor(trace, sipHash64(span.span_id)) AS id,
    if(span.parent_span_id IN ('', span.span_id), 0, bitXor(trace, sipHash64(span.parent_span_id))) AS parent_id,
    span,
    toUInt8(dialect_id) AS dialect_id,
    -- A role that shows in the name or the keys, whatever the span says of itself.
    toUInt8(multiIf($raw_name, 3, $tail, 4, $aggregate_input, 2, 0)) AS role_shown,
    kind_value,
    said,
    toUInt8(span.status = 'error' OR toUInt16OrZero($own_http_status) >= 400 OR $own_level = 'ERROR') AS failed,
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
    toUInt8($blob_style) AS style,
    version
FROM looked_up
