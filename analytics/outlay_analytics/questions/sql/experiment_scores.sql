-- Question: how were the units of each arm of an experiment scored?
-- Fragments: scored (see scored_found.sql; `told` holds the arm and the unit). Parameters: those of it.
-- Result: one row per arm: sums over units for the mean score (see moments.py).
SELECT
    arm,
    count() AS score_units,
    sum(a) AS score_a,
    sum(b) AS score_b,
    sum(a * a) AS score_aa,
    sum(b * b) AS score_bb,
    sum(a * b) AS score_ab,
    max(b) <= 1 AND max(odd) = 0 AS score_shares
FROM
(
    SELECT
        told[1] AS arm,
        told[2] AS unit,
        sum(assumeNotNull(value)) AS a,
        toFloat64(count()) AS b,
        countIf(value NOT IN (0, 1)) AS odd
    FROM ($scored)
    WHERE isNotNull(value) AND told[1] != '' AND told[2] != ''
    GROUP BY arm, unit
)
GROUP BY arm
LIMIT 1000
