-- The calls of a scope that were billed, as price.sql wants them, with what they cost and what changes look at.
-- Fragments: filters. Parameters: project, start, end, and those of the fragment.
-- Result: one row per call; `touched` is 1 as soon as a change concerns it.
SELECT
    c.project AS project,
    c.provider AS provider,
    c.request_model AS request_model,
    c.response_model AS response_model,
    c.model AS model,
    c.service_tier AS service_tier,
    c.region AS region,
    c.started_at AS started_at,
    c.input_tokens AS input_tokens,
    c.cache_read_tokens AS cache_read_tokens,
    c.cache_write_tokens AS cache_write_tokens,
    c.cache_write_1h_tokens AS cache_write_1h_tokens,
    c.output_tokens AS output_tokens,
    c.reasoning_tokens AS reasoning_tokens,
    c.other_usage AS other_usage,
    if(c.cost_state = 'estimated', 'estimated', '') AS state_hint,
    c.feature AS feature,
    c.operation AS operation,
    c.prompt_parts AS prompt_parts,
    assumeNotNull(c.cost_usd) AS old_cost_usd,
    toUInt8(0) AS touched
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND isNotNull(c.cost_usd)
  AND c.cost_state NOT IN ('not_billed', 'cached')
  AND ($filters)
