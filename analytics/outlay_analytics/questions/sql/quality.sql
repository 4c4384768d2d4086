-- Question: how good were the answers, by group?
-- Fragments: scored (see scored_found.sql), success, judged (conditions), keys (from `time` and `told`), group (their names).
-- Parameters: those of it, max_rows.
-- Result: one row per group: answers, sums of the score for its mean (see moments.py), of what is a success, of what the
-- answers cost where that is known, once where several scores are about one thing; the labels and how often each was given.
SELECT
    $keys,
    count() AS answers,
    countIf(isNotNull(value)) AS score_units,
    sum(ifNull(value, 0)) AS score_a,
    score_units AS score_b,
    sum(ifNull(value * value, 0)) AS score_aa,
    score_units AS score_bb,
    score_a AS score_ab,
    countIf(value NOT IN (0, 1)) = 0 AS score_shares,
    countIf($judged) AS judged,
    countIf($success) AS successes,
    countIf(isNotNull(cost_usd)) AS priced_answers,
    countIf(isNotNull(cost_usd) AND $success) AS priced_successes,
    sumIf(ifNull(cost_usd, 0), alone)
        + arraySum(one -> one.2, groupUniqArrayIf((paid_for, ifNull(cost_usd, toDecimal128(0, 12))), NOT alone)) AS answers_usd,
    sumMapIf([label], [toUInt64(1)], label != '') AS labels
FROM ($scored)
GROUP BY $group
ORDER BY answers DESC
LIMIT {max_rows:UInt32}
