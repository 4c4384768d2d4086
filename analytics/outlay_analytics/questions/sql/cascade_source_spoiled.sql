-- Question: which rolled-up hours took a run for their own that has calls where no rollup is read?
-- Fragments: hours (condition on c.started_at). Parameters: project, first and last (Unix seconds, hours, [first, last)),
-- those of the fragment.
-- Result: unix, the start of the hour.
SELECT DISTINCT toUnixTimestamp(hour) AS unix
FROM
(
    SELECT r.run AS run, r.hour AS hour
    FROM cascade_runs AS r
    WHERE r.project = {project:String}
      AND r.hour >= toDateTime({first:UInt32}, 'UTC')
      AND r.hour < toDateTime({last:UInt32}, 'UTC')
      AND r.run IN
      (
        SELECT sipHash128(c.cascade_name, if(c.cascade_run_id = '', c.trace_id, c.cascade_run_id))
        FROM calls AS c FINAL
        WHERE c.project = {project:String}
          AND $hours
          AND c.cascade_name != ''
      )
    GROUP BY run, hour
    HAVING max(r.spread) = 0
)
