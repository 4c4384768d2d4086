-- The charged calls of a stretch of time that one price list priced, as price.sql wants them, with what they cost as
-- old_… and what their rows are told apart by.
-- Fragments: period (start of the charge period), late (condition on c: it came after its month was closed), filters. Parameters: project, start, end, price_version, tag_keys,
-- part and parts (every group of rows lies in one part), and those of the fragments.
SELECT
    c.project AS project,
    c.provider AS provider,
    c.request_model AS request_model,
    c.response_model AS response_model,
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
    $period AS period,
    c.service AS service,
    c.environment AS environment,
    c.feature AS feature,
    c.team AS team,
    c.customer AS customer,
    c.model AS model,
    arrayMap(key -> c.tags[key], {tag_keys:Array(String)}) AS tag_values,
    toUInt8($late) AS late,
    c.matched_model AS old_matched_model,
    assumeNotNull(c.cost_usd) AS old_cost_usd,
    ifNull(c.list_cost_usd, assumeNotNull(c.cost_usd)) AS old_list_cost_usd,
    c.cost_lines AS old_cost_lines
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND isNotNull(c.cost_usd)
  AND c.cost_state NOT IN ('not_billed', 'cached')
  AND c.price_version = {price_version:String}
  AND cityHash64(c.service, c.environment, c.feature, c.team, c.customer, c.provider, c.model, tag_values) % {parts:UInt32}
    = {part:UInt32}
  AND ($filters)
