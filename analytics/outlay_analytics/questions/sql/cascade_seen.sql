-- Question: has a cascade calls, which confidences do its attempts at tier 0 report, which thresholds are in use?
-- Fragments: stored (a condition on cascade_confidences AS h, or 0), hours and filters (conditions on
-- calls AS c, for what is not read from there). Parameters: project, name (of the cascade), those of the fragments.
-- Result: one row: calls, up to 31 distinct confidences, the lowest and the highest, up to 20 thresholds.
SELECT
    sum(n_calls) AS calls,
    arraySort(groupUniqArrayArray(31)(some_seen)) AS confidences,
    min(a_lowest) AS lowest,
    max(a_highest) AS highest,
    arraySort(groupUniqArrayArray(20)(some_thresholds)) AS thresholds
FROM
(
    SELECT
        sum(h.calls) AS n_calls,
        groupUniqArrayArray(31)(h.seen) AS some_seen,
        min(h.lowest) AS a_lowest,
        max(h.highest) AS a_highest,
        groupUniqArrayArray(20)(h.thresholds) AS some_thresholds
    FROM cascade_confidences AS h FINAL
    WHERE h.project = {project:String}
      AND h.cascade = {name:String}
      AND ($stored)
    UNION ALL
    SELECT
        count() AS n_calls,
        groupUniqArrayIf(31)(assumeNotNull(c.cascade_confidence), sure) AS some_seen,
        minIf(c.cascade_confidence, sure) AS a_lowest,
        maxIf(c.cascade_confidence, sure) AS a_highest,
        groupUniqArrayIf(20)(assumeNotNull(c.cascade_threshold), sure AND isNotNull(c.cascade_threshold)) AS some_thresholds
    FROM
    (
        SELECT *, ifNull(cascade_tier, 0) = 0 AND isNotNull(cascade_confidence) AS sure
        FROM
        (
            SELECT c.cascade_confidence AS cascade_confidence, c.cascade_threshold AS cascade_threshold, c.cascade_tier AS cascade_tier
            FROM calls AS c FINAL
            WHERE c.project = {project:String}
              AND $hours
              AND c.cascade_name = {name:String}
              AND ($filters)
        )
    ) AS c
)
