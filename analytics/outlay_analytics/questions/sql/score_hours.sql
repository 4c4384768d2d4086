-- Question: in which hours do the scored traces lie that may have calls in a window?
-- Fragments: given (score_given.sql). Parameters: project, start, end, those of `given`.
-- Result: one row: traces known, first_hour and last_hour: of those that begin before the window's end and end after its
-- start, whose calls are looked for in no other hours.
SELECT
    count() AS traces,
    min(began) AS first_hour,
    max(ended) AS last_hour
FROM
(
    SELECT
        min(h.first_hour) AS began,
        max(h.last_hour) AS ended
    FROM trace_hours AS h
    WHERE h.project = {project:String}
      AND h.trace_id IN (SELECT trace_id FROM scores WHERE $given)
    GROUP BY sipHash128(h.trace_id)
    HAVING began < toDateTime64({end:String}, 9, 'UTC')
       AND ended >= toStartOfHour(toDateTime64({start:String}, 9, 'UTC'))
)
