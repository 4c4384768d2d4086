-- Question: how many answers from semantic caches are right, by similarity?
-- Fragments: scored (see scored_found.sql; `told` holds similarity and hit). Parameters: those of it, steps.
-- Result: one row per number of steps that a similarity reaches: scored answers, how many are below 0.5, the lowest of their
-- similarities, the lowest and highest score.
SELECT
    arrayCount(step -> step <= similarity, {steps:Array(Float64)}) AS reached,
    count() AS first_scored,
    countIf(given < 0.5) AS first_wrong,
    min(similarity) AS scored_from,
    min(given) AS first_least,
    max(given) AS first_most
FROM
(
    SELECT
        toFloat64OrZero(told[1]) AS similarity,
        paid_for,
        avg(assumeNotNull(value)) AS given
    FROM ($scored)
    WHERE told[1] != '' AND told[2] = 'true' AND isNotNull(value)
    GROUP BY similarity, paid_for
)
GROUP BY reached
