-- Stage 1b of settle: what spans carry inside JSON texts, for the spans that have such texts: fields that no attribute
-- of theirs says, and usage objects, read in one pass each.
WITH
opened AS (
    SELECT
        id,
        dialect_id,
        style,
        $blob_style_inside AS style_inside,
        said[$blob_alone] AS blob_alone,
        if(blob_alone != '', blob_alone, $blob_inside) AS usage_raw,
        $inside_texts
    FROM settle_raw
    WHERE to_open
),
read AS (
    SELECT
        * EXCEPT (usage_raw, blob_alone, style, style_inside),
        if(blob_alone != '', style, style_inside) AS style,
        -- A Python repr of plain values becomes JSON; JSON stays as it is.
        JSONExtract(
            if(startsWith(usage_raw, '{\''), replaceAll(replaceAll(replaceAll(replaceAll(usage_raw, '\'', '"'), 'None', 'null'), 'True', 'true'), 'False', 'false'), usage_raw),
            $blob_type
        ) AS b
    FROM opened
)
SELECT
    id,
    $inside_names,
    b.service_tier AS i_service_tier,
    $blob_counts,
    $blob_input_excludes AS blob_input_excludes,
    $blob_output_excludes AS blob_output_excludes
FROM read
