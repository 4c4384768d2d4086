-- Rebuild hours of `cascade_parts` or `cascade_mixed`, as rollup_cascade_hourly.sql. An unknown confidence is told from every
-- known one. Fragments: table, differs (its further column, with a comma before, or empty), chosen (which rows of
-- `cascade_fresh AS f`).
INSERT INTO $table
SELECT {project:String} AS project, f.* EXCEPT (thresholds)$differs, {version:UInt64} AS version, 0 AS is_deleted
FROM cascade_fresh AS f
$chosen
UNION ALL
SELECT * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM $table FINAL
WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}
  AND (
    hour, run, tier, toString(said), isNull(confidence), ifNull(confidence, 0), sipHash64(service, environment, feature, team)
  ) NOT IN
  (
    SELECT
        f.hour, f.run, f.tier, toString(f.said), isNull(f.confidence), ifNull(f.confidence, 0),
        sipHash64(f.service, f.environment, f.feature, f.team)
    FROM cascade_fresh AS f
    $chosen
  )
SETTINGS max_insert_threads = 1
