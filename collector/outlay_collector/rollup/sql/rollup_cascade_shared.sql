-- And those that may have calls in other cells: a run with an identifier may be in several traces. Fragment: hours.
UNION DISTINCT
SELECT sipHash128(c.cascade_name, c.cascade_run_id) AS run
FROM calls AS c
WHERE c.project = {project:String} AND $hours AND c.cascade_name != '' AND c.cascade_run_id != ''
