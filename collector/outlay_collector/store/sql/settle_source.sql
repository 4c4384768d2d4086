(
    SELECT *, prompt_hash, prefix_hash, texts.keys AS text_names
    FROM spans FINAL
    WHERE (project, toStartOfHour(started_at), trace_id) IN (SELECT project, hour, trace_id FROM settle_hours WHERE round = {round:UInt8} AND NOT giant)
)
