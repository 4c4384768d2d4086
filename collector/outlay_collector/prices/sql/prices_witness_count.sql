-- How many calls of a window report a cost, and of how many it is not the computed one; as prices_witness.sql.
SELECT
    count() AS reported,
    countIf(abs(assumeNotNull(reported_cost_usd) - ifNull(cost_usd, 0)) > greatest(
        toDecimal128({least_usd:String}, 12),
        toDecimal128(ifNull(cost_usd, 0) * toDecimal64({least_share:String}, 3), 12)
    )) AS differing
FROM calls FINAL
WHERE project = {project:String}
  AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
  AND isNotNull(reported_cost_usd) AND cost_state IN ('computed', 'estimated', 'unpriced')
