-- Rebuild hours of `cascade_parts`, as rollup_cascade_hourly.sql. An unknown confidence is told from every known one.
INSERT INTO cascade_parts
SELECT {project:String} AS project, * EXCEPT (thresholds), {version:UInt64} AS version, 0 AS is_deleted
FROM cascade_fresh
WHERE run IN (SELECT run FROM cascade_spread)
UNION ALL
SELECT * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM cascade_parts FINAL
WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}
  AND (
    hour, run, tier, toString(said), isNull(confidence), ifNull(confidence, 0), sipHash64(service, environment, feature, team)
  ) NOT IN
  (
    SELECT
        hour, run, tier, toString(said), isNull(confidence), ifNull(confidence, 0),
        sipHash64(service, environment, feature, team)
    FROM cascade_fresh
    WHERE run IN (SELECT run FROM cascade_spread)
  )
SETTINGS max_insert_threads = 1
