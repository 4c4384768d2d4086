-- What aggregates say beyond their descendants, as requests of their own: the whole of it where nothing is below them.
-- Where exactly one call below has no usage, it is that call's (settle_billable.sql).
INSERT INTO settle_requests
SELECT s.* REPLACE (
    t.context AS context,
    t.lookup AS lookup,
    if(whole, s.counts, arrayMap((said, x) -> if(said IS NULL, NULL, x), arrayPushFront(arraySlice(s.counts, 2), toNullable(0)), [
        a.rest[1],
        least(a.rest[2], a.rest[1]),
        least(a.rest[3], a.rest[1] - least(a.rest[2], a.rest[1])),
        least(a.rest[4], a.rest[3]),
        a.rest[5],
        least(a.rest[6], a.rest[5])
    ])) AS counts,
    if(whole, s.other_usage, CAST(map() AS Map(String, UInt64))) AS other_usage,
    if(whole, s.reported_cost_usd, NULL) AS reported_cost_usd,
    if(s.request_model = '' AND s.response_model = '', a.model, s.request_model) AS request_model,
    if(s.provider = '', a.provider, s.provider) AS provider,
    NOT whole AS unattributed
), 1 AS precedence, 0 AS cut
FROM (SELECT *, covers = 1 AS whole FROM settle_sums WHERE aggregate AND surplus AND filled = 0) AS a
INNER JOIN settle_spans AS s ON a.id = s.id
INNER JOIN settle_tree AS t ON a.id = t.id
