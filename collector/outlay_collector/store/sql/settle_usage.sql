-- Spans that speak of usage, with their place in the tree.
INSERT INTO settle_usage
SELECT
    s.id,
    s.trace,
    s.project,
    s.trace_id,
    s.span_id,
    s.started_at,
    s.began_at,
    s.ended_at,
    s.scope_name,
    s.usage_role,
    s.rank,
    s.failed,
    s.cached,
    s.has_usage,
    s.estimated,
    s.response_key,
    s.fingerprint,
    s.stream,
    s.parent_span_id = '' AS rooted,
    $model_of_request AS request_model,
    $model_of_response AS response_model,
    s.provider,
    if(s.response_model != '', s.response_model, s.request_model) AS model,
    s.counts,
    s.counts[1] AS input_tokens,
    s.counts[5] AS output_tokens,
    t.above,
    t.usage_depth
FROM (SELECT * FROM settle_spans WHERE usage_role > 0) AS s
LEFT ANY JOIN settle_tree AS t ON s.id = t.id
