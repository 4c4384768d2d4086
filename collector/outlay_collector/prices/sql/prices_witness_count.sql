-- How many calls of a window report a cost, of how many it is not the computed one (as prices_witness.sql), and of how many
-- nobody says what of their input was cached, so that their cost leaves it out.
SELECT
    countIf(isNotNull(reported_cost_usd)) AS reported,
    countIf(
        isNotNull(reported_cost_usd) AND abs(assumeNotNull(reported_cost_usd) - ifNull(cost_usd, 0)) > greatest(
            toDecimal128({least_usd:String}, 12),
            toDecimal128(ifNull(cost_usd, 0) * toDecimal64({least_share:String}, 3), 12)
        )
    ) AS differing,
    countIf(has(flags, 'cached_input_unknown')) AS cached_input_unknown
FROM calls FINAL
WHERE project = {project:String}
  AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
  AND cost_state IN ('computed', 'estimated', 'unpriced')
