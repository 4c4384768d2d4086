-- Question: how good were the answers, by group?
-- Fragments: scored (see scored.sql), success, judged (conditions), keys (from `time` and `told`), group (their names).
-- Parameters: those of it, max_rows.
-- Result: one row per group: answers, sums of the score for its mean (see moments.py), of what is a success, of what the
-- answers cost where that is known, once where several scores are about one thing; the labels and how often each was given.
SELECT
    $group,
    sum(of_answers) AS answers,
    sum(of_values) AS score_units,
    sum(a) AS score_a,
    score_units AS score_b,
    sum(aa) AS score_aa,
    score_units AS score_bb,
    score_a AS score_ab,
    sum(odd) = 0 AS score_shares,
    sum(of_judged) AS judged,
    sum(of_successes) AS successes,
    sumIf(of_answers, isNotNull(usd)) AS priced_answers,
    sumIf(of_successes, isNotNull(usd)) AS priced_successes,
    sum(ifNull(usd, 0)) AS answers_usd,
    sumMap(of_labels) AS labels
FROM
(
    SELECT
        $keys,
        paid_for,
        any(cost_usd) AS usd,
        count() AS of_answers,
        countIf(isNotNull(value)) AS of_values,
        sum(ifNull(value, 0)) AS a,
        sum(ifNull(value * value, 0)) AS aa,
        countIf(value NOT IN (0, 1)) AS odd,
        countIf($judged) AS of_judged,
        countIf($success) AS of_successes,
        sumMapIf([label], [toUInt64(1)], label != '') AS of_labels
    FROM ($scored)
    GROUP BY $group, paid_for
)
GROUP BY $group
ORDER BY answers DESC
LIMIT {max_rows:UInt32}
