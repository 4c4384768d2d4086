-- Relation: the calls that name a prompt, each with what it adds to the columns of prompt_hourly.
-- Fragments: hours and filters (conditions on c). Parameters: project, those of the fragments.
SELECT
    toStartOfHour(c.started_at) AS hour,
    c.prompt AS prompt,
    c.prompt_version AS prompt_version,
    c.provider AS provider,
    c.model AS model,
    c.operation AS operation,
    c.service AS service,
    c.environment AS environment,
    c.feature AS feature,
    c.team AS team,
    toUInt64(1) AS calls,
    toUInt64(isNotNull(c.cost_usd)) AS priced_calls,
    ifNull(c.cost_usd, toDecimal128(0, 12)) AS cost_usd,
    toUInt64(isNotNull(c.input_tokens)) AS used_calls,
    ifNull(c.input_tokens, 0) AS input_tokens,
    ifNull(c.cache_read_tokens, 0) AS read_tokens,
    toUInt64(isNotNull(c.output_tokens)) AS answered_calls,
    ifNull(c.output_tokens, 0) AS output_tokens,
    toUInt64(notEmpty(c.prompt_parts)) AS parted_calls,
    parted_calls * priced_calls AS parted_priced_calls,
    parted_calls * input_tokens AS parted_input_tokens,
    if(
        parted_calls > 0,
        c.cost_lines['input'] + c.cost_lines['cache_read'] + c.cost_lines['cache_write'] + c.cost_lines['cache_write_1h'],
        toDecimal128(0, 12)
    ) AS parted_input_usd,
    toUInt64(used_calls > 0 AND ifNull(c.cost_usd > 0, false)) AS paid_calls,
    toUInt64(paid_calls > 0 AND read_tokens > 0) AS paid_hits,
    paid_calls * input_tokens AS paid_input_tokens,
    paid_calls * read_tokens AS paid_read_tokens,
    paid_calls
        * toUInt64(greatest(toInt64(input_tokens) - toInt64(read_tokens) - toInt64(ifNull(c.cache_write_tokens, 0)), 0))
        AS paid_plain_tokens,
    if(paid_calls > 0, c.cost_lines['cache_read'], toDecimal128(0, 12)) AS paid_read_usd,
    if(paid_calls > 0, c.cost_lines['input'], toDecimal128(0, 12)) AS paid_plain_usd,
    mapKeys(c.prompt_parts) AS parts,
    mapValues(c.prompt_parts) AS parts_tokens,
    c.started_at AS first_at,
    c.started_at AS last_at
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND $hours
  AND c.prompt != ''
  AND c.cost_state != 'cached'
  AND ($filters)
