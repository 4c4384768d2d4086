-- Question: what do clean hours hold of the runs that lie within one?
-- Fragments: time (of h.hour), stored (condition on h). Parameters: project, those of the fragments.
-- Result: as cascade_sums.sql.
SELECT
    $time AS time,
    h.* EXCEPT (project, hour, service, environment, feature, team, differs, narrowed, version, is_deleted)
FROM cascade_hourly AS h FINAL
WHERE h.project = {project:String}
  AND $stored
