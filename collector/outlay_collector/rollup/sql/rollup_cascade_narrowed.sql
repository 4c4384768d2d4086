-- The runs of one hour whose calls differ: whole, and narrowed by every choice of what they differ in to the calls that have
-- the same value. What is narrowed is a run of its own.
-- Result: as cascade_parts.sql; own: service, environment, feature, team, differs, narrowed.
SELECT
    hour,
    cascade,
    if(narrowed = 0, run, sipHash128(run, own)) AS run,
    * EXCEPT (hour, cascade, run, service, environment, feature, team, thresholds, differs),
    (
        if(bitTest(bitAnd(differs, bitNot(narrowed)), 0), '', toString(service)),
        if(bitTest(bitAnd(differs, bitNot(narrowed)), 1), '', toString(environment)),
        if(bitTest(bitAnd(differs, bitNot(narrowed)), 2), '', toString(feature)),
        if(bitTest(bitAnd(differs, bitNot(narrowed)), 3), '', toString(team)),
        differs,
        narrowed
    ) AS own
FROM
(
    SELECT f.*, d.differs AS differs
    FROM cascade_fresh AS f
    INNER JOIN cascade_differs AS d ON f.run = d.run
) AS differing
ARRAY JOIN arrayFilter(some -> bitAnd(some, differs) = some, range(toUInt8(16))) AS narrowed
