-- Question: every span of one trace.
-- Fragments: hours (condition on s.started_at).
-- Parameters: project, trace_id, max_spans.
-- Result: one row per span, earliest first, without its attributes; `total` counts them before the limit.
SELECT
    s.span_id AS span_id,
    s.parent_span_id AS parent_span_id,
    s.started_at AS started_at,
    toUnixTimestamp64Nano(s.started_at) AS started_ns,
    s.duration_ns AS duration_ns,
    s.name AS name,
    s.kind AS kind,
    s.status AS status,
    s.status_message AS status_message,
    s.service AS service,
    s.environment AS environment,
    s.scope_name AS scope_name,
    s.flags AS flags,
    count() OVER () AS total
FROM
(
    SELECT *
    FROM spans AS s FINAL
    PREWHERE s.project = {project:String}
      AND s.trace_id = {trace_id:String}
      AND $hours
    ORDER BY s.version DESC
    LIMIT 1 BY s.span_id
) AS s
ORDER BY started_ns, span_id
LIMIT {max_spans:UInt64}
