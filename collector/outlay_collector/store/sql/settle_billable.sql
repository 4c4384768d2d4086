-- Requests as PriceBook wants them: names, disjoint counts, what is to be charged. For answers from the application's
-- cache the counts are those that were avoided.
WITH filled AS (
    SELECT
        filled AS id,
        argMax((rest_input_tokens, rest_cache_read_tokens, rest_cache_write_tokens, rest_cache_write_1h_tokens, rest_output_tokens, rest_reasoning_tokens), id) AS f
    FROM settle_sums
    WHERE filled != 0
    GROUP BY filled
),
whole AS (
    SELECT
        r.* EXCEPT (input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, has_usage, cached, failed),
        f.id != 0 AND NOT r.has_usage AS is_filled,
        r.cached AS from_cache,
        r.failed AS has_failed,
        r.has_usage OR is_filled AS with_usage,
        if(is_filled, toNullable(f.f.1), r.input_tokens) AS in_tokens,
        if(is_filled, toNullable(f.f.2), r.cache_read_tokens) AS read_tokens,
        if(is_filled, toNullable(f.f.3), r.cache_write_tokens) AS write_tokens,
        if(is_filled, toNullable(f.f.4), r.cache_write_1h_tokens) AS write_1h_tokens,
        if(is_filled, toNullable(f.f.5), r.output_tokens) AS out_tokens,
        if(is_filled, toNullable(f.f.6), r.reasoning_tokens) AS thought_tokens
    FROM settle_requests AS r
    LEFT JOIN filled AS f ON r.id = f.id
)
SELECT
    * EXCEPT (in_tokens, read_tokens, write_tokens, write_1h_tokens, out_tokens, thought_tokens),
    if(from_cache, avoided_input_tokens, if(in_tokens IS NULL, NULL, greatest(in_tokens, ifNull(read_tokens, 0) + ifNull(write_tokens, 0)))) AS input_tokens,
    if(from_cache, NULL, read_tokens) AS cache_read_tokens,
    if(from_cache, NULL, if(write_tokens IS NULL, write_1h_tokens, greatest(write_tokens, ifNull(write_1h_tokens, 0)))) AS cache_write_tokens,
    if(from_cache, NULL, write_1h_tokens) AS cache_write_1h_tokens,
    if(from_cache, avoided_output_tokens, if(out_tokens IS NULL, NULL, greatest(out_tokens, ifNull(thought_tokens, 0)))) AS output_tokens,
    if(from_cache, NULL, thought_tokens) AS reasoning_tokens,
    multiIf(
        from_cache, 'cached',
        with_usage, if(estimated, 'estimated', ''),
        has_failed AND NOT billed_failure, 'not_billed',
        'no_usage'
    ) AS state_hint
FROM whole
