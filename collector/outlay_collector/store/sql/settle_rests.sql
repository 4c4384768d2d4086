-- What aggregates say beyond their descendants, as requests of their own: the whole of it where nothing is below them.
-- Where exactly one call below has no usage, it is that call's (settle_fill.sql).
INSERT INTO settle_requests
SELECT s.* REPLACE (
    t.context AS context,
    t.lookup AS lookup,
    if(whole, s.input_tokens, a.rest[1]) AS input_tokens,
    if(whole OR s.cache_read_tokens IS NULL, s.cache_read_tokens, least(a.rest[2], a.rest[1])) AS cache_read_tokens,
    if(whole OR s.cache_write_tokens IS NULL, s.cache_write_tokens, least(a.rest[3], a.rest[1] - least(a.rest[2], a.rest[1]))) AS cache_write_tokens,
    if(whole OR s.cache_write_1h_tokens IS NULL, s.cache_write_1h_tokens, least(a.rest[4], a.rest[3])) AS cache_write_1h_tokens,
    if(whole OR s.output_tokens IS NULL, s.output_tokens, a.rest[5]) AS output_tokens,
    if(whole OR s.reasoning_tokens IS NULL, s.reasoning_tokens, least(a.rest[6], a.rest[5])) AS reasoning_tokens,
    if(whole, s.other_usage, CAST(map() AS Map(LowCardinality(String), UInt64))) AS other_usage,
    if(whole, s.reported_cost_usd, NULL) AS reported_cost_usd,
    if(s.request_model = '' AND s.response_model = '', a.model, s.request_model) AS request_model,
    if(s.provider = '', a.provider, s.provider) AS provider,
    NOT whole AS unattributed
)
FROM (SELECT *, covers = 1 AS whole FROM settle_sums WHERE aggregate AND surplus AND filled = 0) AS a
INNER JOIN settle_spans AS s ON a.id = s.id
INNER JOIN settle_tree AS t ON a.id = t.id
