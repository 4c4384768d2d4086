-- Calls whose reported cost is not the computed one, by model and reason. Rounding is no difference.
SELECT
    provider,
    model,
    reason,
    count() AS calls,
    sum(assumeNotNull(reported_cost_usd)) AS reported_usd,
    sumOrNull(cost_usd) AS computed_usd,
    sum(difference) AS difference_usd
FROM
(
    SELECT
        provider,
        model,
        reported_cost_usd,
        cost_usd,
        assumeNotNull(reported_cost_usd) - ifNull(cost_usd, 0) AS difference,
        multiIf(
            isNull(cost_usd), 'only_reported',
            reported_cost_usd = 0, 'reported_nothing',
            cost_state = 'estimated', 'estimated_usage',
            difference > 0 AND has(flags, 'cached_input_unknown'), 'cached_input_unknown',
            position(match_kind, '+') > 0, 'assumed_price',
            difference > 0 AND provider IN {charging:Array(String)}, 'fee',
            cost_usd > 0 AND (
                abs(toFloat64(reported_cost_usd) / toFloat64(cost_usd) - 1.1) < 0.001
                OR abs(toFloat64(cost_usd) / toFloat64(reported_cost_usd) - 1.1) < 0.001
            ), 'region',
            difference > 0, 'reported_more',
            'reported_less'
        ) AS reason
    FROM calls FINAL
    WHERE project = {project:String}
      AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
      AND isNotNull(reported_cost_usd) AND cost_state IN ('computed', 'estimated', 'unpriced')
      AND abs(difference) > greatest(
          toDecimal128({least_usd:String}, 12),
          toDecimal128(ifNull(cost_usd, 0) * toDecimal64({least_share:String}, 3), 12)
      )
)
GROUP BY provider, model, reason
ORDER BY abs(difference_usd) DESC, calls DESC, provider, model, reason
LIMIT {limit:UInt32}
