-- Question: which scores were given to the answers of a window?
-- Fragments: scored (see scored_found.sql). Parameters: those of it, success (a label to look for).
-- Result: one row per name: times, whether a score is labelled so, the 20 commonest labels.
SELECT
    name,
    count() AS times,
    countIf(label != '' AND label = {success:String}) > 0 AS has_label,
    topKIf(20)(label, label != '') AS labels
FROM ($scored)
GROUP BY name
ORDER BY times DESC, name
LIMIT 1000
