-- Condition: the scores that may be about calls of a window. Where these are few, only theirs are read.
-- Fragments: named (condition on the name), few ('1' where only calls that some filters leave are asked about, or the window
-- has fewer than there are scores, else '0'), filters (conditions on c).
-- Parameters: project, start, end, those of the fragments.
project = {project:String}
AND $named
AND
(
    NOT $few
    OR trace_id IN
    (
        SELECT c.trace_id
        FROM calls AS c
        WHERE c.project = {project:String}
          AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
          AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
          AND ($filters)
    )
)
