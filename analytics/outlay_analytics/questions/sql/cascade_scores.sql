-- Question: by which score are the runs of a cascade judged, which confidences do they report, at which thresholds?
-- Fragments: filters. Parameters: project, start, end, name (of the cascade).
-- Result: one row: calls (whether there are any), score (the name given most often, empty without any), up to 31 distinct confidences of attempts at
-- tier 0, the lowest and highest, up to 20 thresholds in use.
WITH c.cascade_tier = 0 AND isNotNull(c.cascade_confidence) AS sure
SELECT
    count() AS calls,
    arraySort(groupUniqArrayIf(31)(assumeNotNull(c.cascade_confidence), sure)) AS confidences,
    minIf(c.cascade_confidence, sure) AS lowest,
    maxIf(c.cascade_confidence, sure) AS highest,
    arraySort(groupUniqArrayIf(20)(assumeNotNull(c.cascade_threshold), sure AND isNotNull(c.cascade_threshold))) AS thresholds,
    (
        SELECT any(name)
        FROM
        (
            SELECT toString(s.name) AS name
            FROM scores AS s FINAL
            WHERE s.project = {project:String}
              AND isNotNull(s.value)
              AND s.trace_id IN
              (
                SELECT c.trace_id
                FROM calls AS c FINAL
                WHERE c.project = {project:String}
                  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
                  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
                  AND c.cascade_name = {name:String}
                  AND ($filters)
              )
            GROUP BY name
            ORDER BY count() DESC, name
            LIMIT 1
        )
    ) AS score
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND c.cascade_name = {name:String}
  AND ($filters)
