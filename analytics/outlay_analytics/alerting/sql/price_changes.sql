-- Question: which prices of a list change in a stretch, and by what part of the price before?
-- Parameters: price_version, after and until (instants, (after, until]). Columns: valid_from; model, as `matched_model` of
-- calls says it; service_tier, with its region; part, old_usd, new_usd (USD per million tokens, per million requests);
-- share, of the old price. Of each model, tier and start the part that changes most. Parts that had no price are left out.
WITH ['input', 'cache read', 'cache write', 'one-hour cache write', 'output', 'reasoning', 'request'] AS parts
SELECT valid_from, model, service_tier, parts[-most.2] AS part, most.3 AS old_usd, most.4 AS new_usd, most.1 AS share
FROM
(
    SELECT
        valid_from,
        concat(provider, ':', model) AS model,
        service_tier,
        max(arrayReduce('max', arrayMap(
            nth -> (abs(toFloat64(rates[nth]) / toFloat64(before[nth]) - 1), -nth, before[nth], rates[nth]),
            arrayFilter(nth -> before[nth] > 0, arrayMap(nth -> toInt32(nth), arrayEnumerate(before)))
        ))) AS most
    FROM
    (
        SELECT
            *,
            lagInFrame(rates) OVER (
                PARTITION BY provider, model, service_tier, min_input_tokens, hours ORDER BY valid_from
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) AS before
        FROM
        (
            SELECT provider, model, service_tier, min_input_tokens, hours, valid_from, rates
            FROM prices FINAL
            WHERE price_version = {price_version:String}
        )
    )
    WHERE valid_from > {after:DateTime64(9)} AND valid_from <= {until:DateTime64(9)} AND arrayExists(old -> old > 0, before)
    GROUP BY valid_from, model, service_tier
)
WHERE share > 0
ORDER BY share DESC, model, service_tier, valid_from
