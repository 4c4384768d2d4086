-- Stage 1b of settle: what spans carry inside JSON texts, for the spans that have such texts: fields that no attribute
-- of theirs says, and usage objects, read in one pass each. Only these spans' contents are read.
WITH
contents AS (
    SELECT
        bitXor(sipHash64(project, trace_id), sipHash64(span_id)) AS id,
        $documents AS documents
    FROM spans FINAL
    WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (
        SELECT span.project, toStartOfHour(span.started_at), span.trace_id, span.span_id
        FROM settle_raw
        WHERE opens
    )
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
)
SELECT
    id,
    CAST(arrayFilter(one -> one.2 != '', arrayPushBack(texts, ($b_service_tier, b.service_tier))), 'Map(UInt8, String)') AS said,
    CAST(arrayFilter(one -> one.2 IS NOT NULL, [$blob_counts]), 'Map(UInt8, Nullable(UInt64))') AS counts
FROM
(
    SELECT
        * EXCEPT (usage_raw, blob_alone),
        -- A Python repr of plain values becomes JSON; JSON stays as it is.
        JSONExtract(
            if(startsWith(usage_raw, '{\''), replaceAll(replaceAll(replaceAll(replaceAll(usage_raw, '\'', '"'), 'None', 'null'), 'True', 'true'), 'False', 'false'), usage_raw),
            $blob_type
        ) AS b
    FROM opened
)
