-- Usage objects that spans carry as JSON, read in one pass each.
INSERT INTO settle_blobs
SELECT
    id,
    b.service_tier AS b_service_tier,
    $blob_counts,
    $blob_input_excludes AS blob_input_excludes,
    $blob_output_excludes AS blob_output_excludes
FROM
(
    SELECT
        id,
        style,
        JSONExtract(usage_text, $blob_type) AS b
    FROM settle_raw
    WHERE usage_text != ''
)
