-- Question: what do clean hours hold of the runs that are spread over several?
-- Fragments: hours and filters (conditions on h). Parameters: project, those of the fragments.
-- Result: as cascade_parts.sql.
SELECT * EXCEPT (project, service, environment, feature, team, version, is_deleted)
FROM cascade_parts AS h FINAL
WHERE h.project = {project:String}
  AND $hours
  AND ($filters)
