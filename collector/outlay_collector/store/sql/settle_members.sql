-- Every usage span that is no aggregate, the request it speaks of and the span that stands for it: of equal rank the
-- innermost, since what repeats its descendants is no call; across traces the first.
INSERT INTO settle_members
WITH placed AS (
    SELECT
        t.id AS id,
        if(j.into_head = 0, t.head, j.into_head) AS request,
        j.conflict AS conflict
    FROM settle_tops AS t
    LEFT JOIN settle_joined AS j ON t.head = j.head
)
SELECT
    p.id AS id,
    p.request AS request,
    w.winner AS winner,
    w.members AS members,
    w.conflict AS conflict
FROM placed AS p
INNER JOIN
(
    SELECT
        p.request AS request,
        argMin(p.id, (u.rank, u.trace_id, -u.usage_depth, u.span_id)) AS winner,
        count() AS members,
        max(p.conflict) AS conflict
    FROM placed AS p
    INNER JOIN settle_usage AS u ON p.id = u.id
    GROUP BY request
) AS w ON p.request = w.request
