-- Spans that were stored in two hours, since they were sent again with another start: the most complete is the span. Of the
-- others only the place is kept, by which what was written there is taken back.
INSERT INTO settle_newest
SELECT * EXCEPT (n) REPLACE (
    if(n = 1, id, bitXor(id, sipHash64(span.started_at))) AS id,
    if(n = 1, pid, 0) AS pid,
    if(n = 1, role_shown, 0) AS role_shown,
    if(n = 1, kind_value, '') AS kind_value,
    if(n = 1, said, CAST(map(), 'Map(UInt8, String)')) AS said,
    n = 1 AND opens AS opens
)
FROM
(
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY version DESC, span.started_at DESC) AS n
    FROM settle_raw
)
