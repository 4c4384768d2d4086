-- Stage 1b of settle: what spans carry inside JSON texts, for the spans that have such texts: fields that no attribute
-- of theirs says, and usage objects, read in one pass each. Only these spans' contents are read: which says whose.
WITH
contents AS (
    SELECT
        bitXor(sipHash64(project, trace_id), sipHash64(span_id)) AS id,
        $documents AS documents
    FROM spans FINAL
    WHERE $which
),
opened AS (
    SELECT
        r.id AS id,
        dialect_id,
        said[$blob_alone] AS blob_alone,
        if(blob_alone != '', r.style, $blob_style_inside) AS style,
        multiIf(blob_alone != '', blob_alone, empty(documents), '', $blob_inside) AS usage_raw,
        [$inside_texts] AS texts
    FROM settle_raw AS r
    LEFT JOIN contents AS c ON r.id = c.id
    WHERE r.opens OR said[$blob_alone] != ''
),
parsed AS (
    SELECT
        id,
        texts,
        style,
        -- A Python repr of plain values becomes JSON; JSON stays as it is.
        if(startsWith(usage_raw, '{\''), replaceAll(replaceAll(replaceAll(replaceAll(usage_raw, '\'', '"'), 'None', 'null'), 'True', 'true'), 'False', 'false'), usage_raw) AS usage,
        JSONExtractString(usage, 'service_tier') AS service_tier,
        arrayFilter(one -> one.2 IS NOT NULL, tupleToNameValuePairs(flattenTuple(JSONExtract(usage, $blob_type)))) AS words
    FROM opened
),
-- Each word's count and preference there, packed; of several words for a count the preferred one is read.
ranked AS (
    SELECT
        id,
        texts,
        style,
        service_tier,
        words.1 AS names,
        arraySort(one -> one.1, arrayMap(one -> (transform(one.1, $words, $word_ranks, toUInt16(0)), one.2), words)) AS ranks,
        arrayFirst(one -> one.1 BETWEEN $first_input AND $last_input, ranks).1 AS input_rank,
        arrayFirst(one -> one.1 BETWEEN $first_output AND $last_output, ranks).1 AS output_rank
    FROM parsed
)
SELECT
    id,
    CAST(arrayFilter(one -> one.2 != '', arrayPushBack(texts, ($b_service_tier, service_tier))), 'Map(UInt8, String)') AS said,
    -- Then whether the words that gave input and output leave parts out in that style: always, or beside certain others.
    CAST(arrayFilter(one -> one.2 IS NOT NULL, arrayConcat(
        arrayMap(
            one -> (toUInt8(bitShiftRight(one.1, 8)), $word_count),
            arrayFilter((one, n) -> n = 1, ranks, arrayEnumerateUniq(arrayMap(one -> bitShiftRight(one.1, 8), ranks)))
        ),
        [
            ($b_input_excludes, if($input_word_excludes, 1, NULL)),
            ($b_output_excludes, if($output_word_excludes, 1, NULL))
        ]
    )), 'Map(UInt8, Nullable(UInt64))') AS counts
FROM ranked
