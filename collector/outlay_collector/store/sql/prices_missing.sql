-- Names on calls that no price was found for, those with most tokens first.
SELECT
    provider,
    request_model,
    response_model,
    any(match_kind) AS match_kind,
    count() AS calls,
    sum(ifNull(input_tokens, 0)) AS input_tokens,
    sum(ifNull(output_tokens, 0)) AS output_tokens,
    min(started_at) AS first_at,
    max(started_at) AS last_at
FROM calls FINAL
WHERE project = {project:String}
  AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
  AND cost_state = 'unpriced'
GROUP BY provider, request_model, response_model
ORDER BY input_tokens + output_tokens DESC, calls DESC, provider, request_model, response_model
LIMIT {limit:UInt32}
