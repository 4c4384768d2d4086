-- Question: how did the runs of a cascade go, by the confidence of their first attempt?
-- Fragments: runs (a relation of cascade_scored_runs.sql). Parameters: those of the runs; steps (the
-- thresholds to tell apart, ascending).
-- Result: one row per number of steps that a confidence reaches: confidence, the lowest of its runs, exact, and scored_from,
-- the lowest of those whose answer of tier 0 is scored; runs; priced runs and cost at tier 0; escalated priced runs and
-- cost of their further attempts; scored runs and sums of scores and of their squares, of answers of tier 0 and of escalated ones; of the
-- former the lowest and highest score, and how many are below 0.5.
SELECT
    arrayCount(step -> step <= run_confidence, {steps:Array(Float64)}) AS reached,
    min(assumeNotNull(run_confidence)) AS confidence,
    minIf(assumeNotNull(run_confidence), isFinite(first_score)) AS scored_from,
    count() AS runs,
    countIf(first_priced) AS priced_runs,
    sum(first_cost) AS first_usd,
    countIf(rest_priced) AS priced_escalations,
    sum(rest_cost) AS rest_usd,
    countIf(isFinite(first_score)) AS first_scored,
    sumIf(first_score, isFinite(first_score)) AS first_score_sum,
    sumIf(first_score * first_score, isFinite(first_score)) AS first_score_squares,
    minIf(first_score, isFinite(first_score)) AS first_least,
    maxIf(first_score, isFinite(first_score)) AS first_most,
    countIf(isFinite(first_score) AND first_score < 0.5) AS first_wrong,
    countIf(isFinite(last_score)) AS last_scored,
    sumIf(last_score, isFinite(last_score)) AS last_score_sum,
    sumIf(last_score * last_score, isFinite(last_score)) AS last_score_squares
FROM ($runs)
WHERE isNotNull(run_confidence)
GROUP BY reached
ORDER BY reached
