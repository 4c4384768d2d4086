-- Question: every span of one trace.
-- Fragments: hours (condition on s.started_at), details (columns to read beside, with a comma before; or nothing).
-- Parameters: project, trace_id, max_spans, those of the fragments.
-- Result: one row per span, earliest first; `total` counts them before the limit.
SELECT
    *,
    toUnixTimestamp64Nano(started_at) AS started_ns,
    count() OVER () AS total
FROM
(
    SELECT
        s.span_id AS span_id,
        s.parent_span_id AS parent_span_id,
        s.started_at AS started_at,
        s.duration_ns AS duration_ns,
        s.name AS name,
        s.kind AS kind,
        s.status AS status,
        s.status_message AS status_message,
        s.service AS service,
        s.environment AS environment,
        s.scope_name AS scope_name,
        s.flags AS flags
        $details
    FROM spans AS s FINAL
    PREWHERE s.project = {project:String}
      AND s.trace_id = {trace_id:String}
      AND $hours
    ORDER BY s.version DESC
    LIMIT 1 BY s.span_id
)
ORDER BY started_ns, span_id
LIMIT {max_spans:UInt64}
