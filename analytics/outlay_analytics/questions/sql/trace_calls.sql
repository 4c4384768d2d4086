-- Question: which spans of one giant trace were counted?
-- Fragments: hours (condition on started_at).
-- Parameters: project, trace_id, max_calls.
-- Result: one row per call, key and cost, in order of start.
SELECT
    toUnixTimestamp64Nano(s.started_at) AS started_ns,
    s.trace_id AS trace_id,
    s.span_id AS span_id,
    s.n AS n,
    s.call_id AS call_id,
    s.parent_span_id AS parent_span_id,
    s.started_at AS started_at,
    s.duration_ns AS duration_ns,
    s.name AS name,
    s.service AS service,
    s.environment AS environment,
    s.status AS status,
    s.provider AS provider,
    s.request_model AS request_model,
    s.response_model AS response_model,
    s.model AS model,
    s.input_tokens AS input_tokens,
    s.output_tokens AS output_tokens,
    s.cost_usd AS cost_usd,
    s.cost_state AS cost_state
FROM calls AS s FINAL
PREWHERE s.project = {project:String}
  AND s.trace_id = {trace_id:String}
  AND $hours
ORDER BY started_ns, span_id, n
LIMIT {max_calls:UInt64}
