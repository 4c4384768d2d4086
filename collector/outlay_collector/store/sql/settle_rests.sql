-- What aggregates say beyond their descendants, as requests of their own: the whole of it where nothing is below them.
-- Where exactly one call below has no usage, it is that call's (settle_fill.sql).
INSERT INTO settle_requests
SELECT s.* REPLACE (
    t.context AS context,
    t.lookup AS lookup,
    if(whole, s.input_tokens, a.rest_input_tokens) AS input_tokens,
    if(whole OR s.cache_read_tokens IS NULL, s.cache_read_tokens, least(a.rest_cache_read_tokens, a.rest_input_tokens)) AS cache_read_tokens,
    if(whole OR s.cache_write_tokens IS NULL, s.cache_write_tokens, least(a.rest_cache_write_tokens, a.rest_input_tokens - least(a.rest_cache_read_tokens, a.rest_input_tokens))) AS cache_write_tokens,
    if(whole OR s.cache_write_1h_tokens IS NULL, s.cache_write_1h_tokens, least(a.rest_cache_write_1h_tokens, a.rest_cache_write_tokens)) AS cache_write_1h_tokens,
    if(whole OR s.output_tokens IS NULL, s.output_tokens, a.rest_output_tokens) AS output_tokens,
    if(whole OR s.reasoning_tokens IS NULL, s.reasoning_tokens, least(a.rest_reasoning_tokens, a.rest_output_tokens)) AS reasoning_tokens,
    if(whole, s.other_usage, CAST(map() AS Map(LowCardinality(String), UInt64))) AS other_usage,
    if(whole, s.reported_cost_usd, NULL) AS reported_cost_usd,
    if(s.request_model = '' AND s.response_model = '', a.model, s.request_model) AS request_model,
    if(s.provider = '', a.provider, s.provider) AS provider,
    NOT whole AS unattributed
)
FROM (SELECT *, covers = 1 AS whole FROM settle_sums WHERE aggregate AND surplus AND filled = 0) AS a
INNER JOIN settle_spans AS s ON a.id = s.id
INNER JOIN settle_tree AS t ON a.id = t.id
