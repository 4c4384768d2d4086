-- Rebuild hours of `cascade_hourly` from `cascade_sums`, with a tombstone for every key that is no longer there.
INSERT INTO cascade_hourly
SELECT {project:String} AS project, *, {version:UInt64} AS version, 0 AS is_deleted
FROM cascade_sums
UNION ALL
SELECT * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM cascade_hourly FINAL
WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}
  AND (
    hour, toString(cascade), run_tier, tier, toString(model), sipHash64(service, environment, feature, team), differs,
    narrowed
  ) NOT IN
  (
    SELECT
        time, toString(cascade), run_tier, tier, toString(model), sipHash64(service, environment, feature, team), differs,
        narrowed
    FROM cascade_sums
  )
SETTINGS max_insert_threads = 1
