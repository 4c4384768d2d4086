-- Question: how did the runs of a cascade go, by the confidence of their first attempt?
-- Fragments: attempts (see cascade_attempts.sql). Parameters: those of the attempts; digits (confidences are rounded to
-- so many); score (name); max_rows. A score is about a call, the span around it, or the trace: then the accepted answer.
-- Result: one row per confidence: runs; priced runs and cost of the first attempt; escalated priced runs and cost of
-- their further attempts; scored runs and sums of scores, of answers of the first attempt and of escalated ones.
WITH
    scored AS
    (
        SELECT trace_id, span_id, avg(value) AS mean_value
        FROM scores FINAL
        WHERE project = {project:String} AND name = {score:String} AND isNotNull(value)
        GROUP BY trace_id, span_id
    )
SELECT
    round(first_confidence, {digits:UInt8}) AS confidence,
    count() AS runs,
    countIf(first_priced) AS priced_runs,
    sum(first_cost) AS first_usd,
    countIf(escalated AND rest_priced) AS priced_escalations,
    sumIf(rest_cost, escalated) AS rest_usd,
    count(first_score) AS first_scored,
    sum(first_score) AS first_score_sum,
    count(last_score) AS last_scored,
    sum(last_score) AS last_score_sum
FROM
(
    SELECT
        run,
        any(run_confidence) AS first_confidence,
        any(run_escalated) AS escalated,
        max(tier = 0 AND priced_calls > 0) AS first_priced,
        max(tier > 0 AND priced_calls > 0) AS rest_priced,
        sumIf(cost_usd, tier = 0) AS first_cost,
        sumIf(cost_usd, tier > 0) AS rest_cost,
        avgIf(answer_score, tier = 0 AND answer_score IS NOT NULL) AS tier_0_score,
        avgIf(answer_score, tier > 0 AND answer_score IS NOT NULL) AS higher_score,
        if(isNaN(tier_0_score), NULL, tier_0_score) AS first_score,
        if(isNaN(higher_score), NULL, higher_score) AS last_score
    FROM
    (
        SELECT
            a.*,
            max(a.tier) OVER (PARTITION BY a.run) > 0 AS run_escalated,
            minIf(a.confidence, a.tier = 0) OVER (PARTITION BY a.run) AS run_confidence
        FROM ($attempts) AS a
    ) AS a
    LEFT JOIN
    (
        SELECT run AS scored_run, tier AS scored_tier, outcome AS scored_outcome, toNullable(avg(s.mean_value)) AS answer_score
        FROM
        (
            SELECT
                run, tier, outcome,
                arrayJoin(arrayDistinct(arrayConcat(
                    spans, parents, if(outcome = 'accepted', [(spans[1].1, '')], [])
                ))) AS key
            FROM ($attempts)
        ) AS k
        INNER JOIN scored AS s ON k.key.1 = s.trace_id AND k.key.2 = s.span_id
        GROUP BY run, tier, outcome
    ) AS q ON a.run = q.scored_run AND a.tier = q.scored_tier AND a.outcome = q.scored_outcome
    WHERE isNotNull(run_confidence)
    GROUP BY run
)
GROUP BY confidence
ORDER BY confidence
LIMIT {max_rows:UInt64}
