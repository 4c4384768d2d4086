-- Names on calls that no price was found for, those with most tokens first, and why: no list has the model, the call is
-- older than the model's first price, or a part of it (searches, audio) has none.
SELECT
    provider,
    request_model,
    response_model,
    multiIf(
        match_kind = '', 'unknown_model',
        position(match_kind, '+no_price_yet') > 0, 'no_price_yet',
        'part_without_price'
    ) AS reason,
    count() AS calls,
    sum(ifNull(input_tokens, 0)) AS input_tokens,
    sum(ifNull(output_tokens, 0)) AS output_tokens,
    min(started_at) AS first_at,
    max(started_at) AS last_at
FROM calls FINAL
WHERE project = {project:String}
  AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
  AND cost_state = 'unpriced'
GROUP BY provider, request_model, response_model, reason
ORDER BY input_tokens + output_tokens DESC, calls DESC, provider, request_model, response_model, reason
LIMIT {limit:UInt32}
