-- Spans that were read from two hours, as they were sent again with another start: the most complete (n = 1) is the span.
-- Of the others (n > 1) only the place matters, where what was written must be taken back.
SELECT $columns
FROM
(
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY version DESC, span.started_at DESC) AS n
    FROM settle_raw
)
WHERE n $n
