-- Question: how did the runs of a cascade go, by the confidence of their first attempt?
-- Fragments: attempts (see cascade_attempts.sql). Parameters: those of the attempts; digits (confidences are rounded to
-- so many); score (name); max_rows. A score is about a call, the span around it, or the trace: then the accepted answer.
-- Result: one row per confidence: runs; priced runs and cost at tier 0; escalated priced runs and cost of
-- their further attempts; scored runs and sums of scores, of answers of tier 0 and of escalated ones.
SELECT
    round(run_confidence, {digits:UInt8}) AS confidence,
    count() AS runs,
    countIf(first_priced) AS priced_runs,
    sum(first_cost) AS first_usd,
    countIf(rest_priced) AS priced_escalations,
    sum(rest_cost) AS rest_usd,
    countIf(isFinite(first_score)) AS first_scored,
    sumIf(first_score, isFinite(first_score)) AS first_score_sum,
    countIf(isFinite(last_score)) AS last_scored,
    sumIf(last_score, isFinite(last_score)) AS last_score_sum
FROM
(
    SELECT
        run,
        minIf(confidence, tier = 0) AS run_confidence,
        max(tier = 0 AND priced_calls > 0) AS first_priced,
        max(tier > 0 AND priced_calls > 0) AS rest_priced,
        sumIf(cost_usd, tier = 0) AS first_cost,
        sumIf(cost_usd, tier > 0) AS rest_cost,
        avgIf(answer_score, tier = 0 AND isFinite(answer_score)) AS first_score,
        avgIf(answer_score, tier > 0 AND isFinite(answer_score)) AS last_score
    FROM
    (
        SELECT
            a.*,
            arrayFilter(
                given -> if(given.1 = '', a.outcome = 'accepted', has(a.spans, given.1)), s.given
            ) AS own_scores,
            if(empty(own_scores), nan, arrayAvg(given -> given.2, own_scores)) AS answer_score
        FROM ($attempts) AS a
        LEFT ANY JOIN
        (
            SELECT trace_id, groupArray((span_id, assumeNotNull(value))) AS given
            FROM scores FINAL
            WHERE project = {project:String} AND name = {score:String} AND isNotNull(value)
            GROUP BY trace_id
        ) AS s ON a.trace = s.trace_id
    )
    GROUP BY run
)
WHERE isNotNull(run_confidence)
GROUP BY confidence
ORDER BY confidence
LIMIT {max_rows:UInt64}
