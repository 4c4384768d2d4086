-- Question: how good were the answers, by group?
-- Fragments: scored (see scored.sql), success (a condition), keys (from `time` and `told`), rest. Parameters: those of it.
-- Result: one row per group: answers, sums of the score for its mean (see moments.py), of what is a success, of what the
-- answers cost where that is known; the labels and how often each was given.
SELECT
    $keys,
    count() AS answers,
    countIf(isNotNull(value)) AS score_units,
    sum(ifNull(value, 0)) AS score_a,
    countIf(isNotNull(value)) AS score_b,
    sum(ifNull(value * value, 0)) AS score_aa,
    countIf(isNotNull(value)) AS score_bb,
    sum(ifNull(value, 0)) AS score_ab,
    countIf(value NOT IN (0, 1)) = 0 AS score_shares,
    countIf($judged) AS judged,
    countIf($success) AS successes,
    countIf(isNotNull(cost_usd)) AS priced_answers,
    countIf(isNotNull(cost_usd) AND ($success)) AS priced_successes,
    sum(ifNull(cost_usd, 0)) AS answers_usd,
    sumMapIf([label], [toUInt64(1)], label != '') AS labels
FROM ($scored)
GROUP BY $group
ORDER BY answers DESC
LIMIT {max_rows:UInt32}
