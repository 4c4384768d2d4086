-- Requests as PriceBook wants them: names, disjoint counts, what is to be charged, and nothing else, since pricing is a
-- long statement. For answers from the application's cache the counts are those that were avoided.
WITH filled AS (
    SELECT
        filled AS id,
        argMax(rest, id) AS rest
    FROM settle_sums
    WHERE filled != 0
    GROUP BY filled
),
whole AS (
    SELECT
        r.id AS id,
        tuple(r.project, r.provider, r.request_model, r.response_model, r.service_tier, r.started_at, r.other_usage) AS what,
        r.cached AS from_cache,
        f.id != 0 AND NOT r.has_usage AS is_filled,
        multiIf(
            r.cached, 'cached',
            r.has_usage OR is_filled, if(r.estimated, 'estimated', ''),
            r.failed AND NOT r.billed_failure, 'not_billed',
            'no_usage'
        ) AS state_hint,
        multiIf(
            r.cached, [r.avoided_input_tokens, NULL, NULL, NULL, r.avoided_output_tokens, NULL],
            is_filled, arrayMap(x -> toNullable(x), f.rest),
            r.counts
        ) AS said
    FROM settle_requests AS r
    LEFT ANY JOIN filled AS f ON r.id = f.id
)
SELECT
    id,
    from_cache,
    is_filled,
    what.1 AS project,
    what.2 AS provider,
    what.3 AS request_model,
    what.4 AS response_model,
    what.5 AS service_tier,
    what.6 AS started_at,
    what.7 AS other_usage,
    if(said[1] IS NULL, NULL, greatest(said[1], ifNull(said[2], 0) + ifNull(said[3], 0))) AS input_tokens,
    said[2] AS cache_read_tokens,
    if(said[3] IS NULL, said[4], greatest(said[3], ifNull(said[4], 0))) AS cache_write_tokens,
    said[4] AS cache_write_1h_tokens,
    if(said[5] IS NULL, NULL, greatest(said[5], ifNull(said[6], 0))) AS output_tokens,
    said[6] AS reasoning_tokens,
    state_hint
FROM whole
