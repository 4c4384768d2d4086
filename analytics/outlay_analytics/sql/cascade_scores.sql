-- Question: by which score are the runs of a cascade judged, which confidences do they report, at which thresholds?
-- Fragments: attempts (see cascade_attempts.sql). Parameters: those of the attempts.
-- Result: one row: score (the name given most often), distinct confidences of first attempts, thresholds in use.
SELECT
    (
        SELECT CAST(name, 'String') AS given
        FROM scores FINAL
        WHERE project = {project:String}
          AND isNotNull(value)
          AND trace_id IN (SELECT arrayJoin(spans).1 FROM ($attempts))
        GROUP BY name
        ORDER BY count() DESC, name
        LIMIT 1
    ) AS score,
    arraySort(groupUniqArrayIf(101)(assumeNotNull(confidence), tier = 0 AND isNotNull(confidence))) AS confidences,
    minIf(confidence, tier = 0) AS lowest,
    maxIf(confidence, tier = 0) AS highest,
    arraySort(groupUniqArrayIf(20)(assumeNotNull(threshold), tier = 0 AND isNotNull(threshold))) AS thresholds
FROM ($attempts) AS attempts
