-- Every usage span that is no aggregate, the request it speaks of and its precedence there: 1 is the span that stands for
-- the request. Of equal rank the innermost, since what repeats its descendants is no call; across traces the first.
INSERT INTO settle_members
SELECT
    member.5 AS id,
    request,
    speakers[1].5 AS winner,
    precedence,
    conflict
FROM
(
    SELECT
        if(j.into_head = 0, t.head, j.into_head) AS request,
        arraySort(groupArray((u.rank, u.trace_id, -u.usage_depth, u.span_id, u.id))) AS speakers,
        max(j.conflict) AS conflict
    FROM settle_tops AS t
    LEFT ANY JOIN settle_usage AS u ON t.id = u.id
    LEFT ANY JOIN settle_joined AS j ON t.head = j.head
    GROUP BY request
)
ARRAY JOIN
    speakers AS member,
    arrayEnumerate(speakers) AS precedence
