-- The runs of a cascade, with the scores of their answers. A score of a call, or of the span around one attempt, is about
-- that attempt; one of a span around several attempts, or of the trace, is about the accepted answer.
-- Fragments: attempts (see cascade_attempts.sql; `own` holds the trace, the calls' spans, and those right above them). Parameters: those of the attempts;
-- score (name). Result: as cascade_runs.sql; first_score and last_score,
-- mean scores of the answers of tier 0 and of further ones, NaN without any.
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
        a.run AS run,
        a.tier AS tier,
        a.confidence AS confidence,
        a.priced_calls AS priced_calls,
        a.cost_usd AS cost_usd,
        groupArrayArray(a.own.3) OVER (PARTITION BY a.run) AS around,
        arrayFilter(
            given -> multiIf(
                given.1 = '' OR countEqual(around, given.1) > 1, a.accepted,
                has(a.own.2, given.1) OR has(a.own.3, given.1)
            ),
            s.given
        ) AS own_scores,
        if(empty(own_scores), nan, arrayAvg(given -> given.2, own_scores)) AS answer_score
    FROM ($attempts) AS a
    LEFT ANY JOIN
    (
        SELECT trace_id, groupArray((span_id, assumeNotNull(value))) AS given
        FROM scores FINAL
        WHERE project = {project:String}
          AND name = {score:String}
          AND isNotNull(value)
          AND trace_id IN
          (
            SELECT c.trace_id
            FROM calls AS c
            WHERE c.project = {project:String}
              AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
              AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
              AND c.cascade_name = {name:String}
          )
        GROUP BY trace_id
    ) AS s ON a.own.1 = s.trace_id
)
GROUP BY run
