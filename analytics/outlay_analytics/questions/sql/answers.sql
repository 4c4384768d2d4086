-- Question: how good were the answers, by score and group, and in all?
-- Fragments: scored (see scored_found.sql), keys (from `time` and `told`), group (their names).
-- Parameters: those of it; half: from which value on an answer is a success, by the scores that are judged; max_rows.
-- Result: one row per score and group, and one per score (is_total), in which an answer counts once: answers, sums of the
-- score for its mean (see moments.py), of what is a success, of what the answers cost where that is known, once where several
-- scores are about one thing; the labels and how often each was given.
SELECT
    name,
    grouping(time) AS is_total,
    $group,
    count() AS answers,
    countIf(isNotNull(value)) AS score_units,
    sum(ifNull(value, 0)) AS score_a,
    score_units AS score_b,
    sum(ifNull(value * value, 0)) AS score_aa,
    score_units AS score_bb,
    score_a AS score_ab,
    countIf(value NOT IN (0, 1)) = 0 AS score_shares,
    countIf(isNotNull(value) AND name IN {judged:Array(String)}) AS judged,
    countIf(ifNull(value >= {half:Float64}, false) AND name IN {judged:Array(String)}) AS successes,
    countIf(isNotNull(cost_usd)) AS priced_answers,
    countIf(isNotNull(cost_usd) AND ifNull(value >= {half:Float64}, false) AND name IN {judged:Array(String)}) AS priced_successes,
    sumIf(ifNull(cost_usd, 0), alone)
        + arraySum(one -> one.2, groupUniqArrayIf((paid_for, ifNull(cost_usd, toDecimal128(0, 12))), NOT alone)) AS answers_usd,
    sumMapIf([label], [toUInt64(1)], label != '') AS labels
FROM
(
    SELECT toString(name) AS name, $keys, paid_for, alone, cost_usd, value, label
    FROM ($scored)
)
GROUP BY GROUPING SETS ((name, $group), (name))
ORDER BY answers DESC
LIMIT {max_rows:UInt32} BY name, is_total
