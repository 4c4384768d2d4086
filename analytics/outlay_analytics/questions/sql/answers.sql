-- Question: how good were the answers, by score and group, and in all?
-- Fragments: scored (see scored.sql), keys (from `time` and `told`), group (their names).
-- Parameters: those of it; half: from which value on an answer is a success, by the scores that are judged; max_rows.
-- Result: one row per score and group, and one per score (is_total), in which an answer counts once: answers, sums of the
-- score for its mean (see moments.py), of what is a success, of what the answers cost where that is known, once where several
-- scores are about one thing; the labels and how often each was given.
SELECT
    name,
    is_total,
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
        name,
        grouping(time) AS is_total,
        $group,
        paid_for,
        any(cost_usd) AS usd,
        count() AS of_answers,
        countIf(isNotNull(value)) AS of_values,
        sum(ifNull(value, 0)) AS a,
        sum(ifNull(value * value, 0)) AS aa,
        countIf(value NOT IN (0, 1)) AS odd,
        countIf(isNotNull(value) AND name IN {judged:Array(String)}) AS of_judged,
        countIf(ifNull(value >= {half:Float64}, false) AND name IN {judged:Array(String)}) AS of_successes,
        sumMapIf([label], [toUInt64(1)], label != '') AS of_labels
    FROM
    (
        SELECT toString(name) AS name, $keys, reinterpretAsUInt128(sipHash128(paid_for)) AS paid_for, cost_usd, value, label
        FROM ($scored)
    )
    GROUP BY GROUPING SETS ((name, $group, paid_for), (name, paid_for))
)
GROUP BY name, is_total, $group
ORDER BY answers DESC
LIMIT {max_rows:UInt32} BY name, is_total
