(
    SELECT *, prompt_hash, prefix_hash, texts.keys AS text_names
    FROM spans FINAL
    WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (
        SELECT project, hour, trace_id, span_id
        FROM settle_giant
        WHERE id IN (SELECT id FROM settle_touched WHERE step = {step:UInt8} AND is_read)
    )
)
