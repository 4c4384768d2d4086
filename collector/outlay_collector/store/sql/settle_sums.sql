-- Sums of the subtrees whose root has {depth} usage spans above it, and what an aggregate says beyond what is below it
-- (rest). A request counts once, at the first of its spans in the trace.
INSERT INTO settle_sums
WITH
below AS (
    SELECT
        above AS id,
        sum(covers) AS covers,
        sumForEach(counts) AS counts,
        sum(blanks) AS blanks,
        max(blank) AS blank,
        anyIf(model, model != '') AS model,
        anyIf(provider, provider != '') AS provider
    FROM settle_sums
    WHERE above != 0
    GROUP BY above
),
nodes AS (
    SELECT
        n.id AS id,
        n.above AS above,
        n.aggregate AS aggregate,
        n.counted AS counted,
        n.request AS request,
        arrayMap(x -> ifNull(x, 0), n.counts) AS own,
        if(empty(b.counts), [0, 0, 0, 0, 0, 0], b.counts) AS below,
        b.covers AS below_covers,
        b.blanks AS below_blanks,
        b.blank AS below_blank,
        if(n.model != '', n.model, b.model) AS model,
        if(n.provider != '', n.provider, b.provider) AS provider,
        n.counted AND NOT n.aggregate AND NOT n.has_usage AND NOT n.failed AS is_blank,
        -- Input decides whether an aggregate speaks of more requests than are below it: none is without input.
        n.aggregate AND n.has_usage AND (b.covers = 0 OR ifNull(n.counts[1] > below[1], n.counts[5] > below[5])) AS surplus,
        surplus AND b.blanks = 1 AS fills
    FROM settle_nodes AS n
    LEFT ANY JOIN below AS b ON n.id = b.id
    WHERE n.usage_depth = {depth:UInt16}
)
SELECT
    id,
    above,
    aggregate,
    surplus,
    below_covers + if(aggregate, surplus AND below_blanks != 1, counted) AS covers,
    multiIf(
        surplus, arrayMap((x, y) -> greatest(x, y), own, below),
        counted AND NOT aggregate, arrayMap((x, y) -> x + y, own, below),
        below
    ) AS counts,
    if(surplus, arrayMap((x, y) -> x - y, counts, below), [0, 0, 0, 0, 0, 0]) AS rest,
    if(fills, 0, below_blanks + is_blank) AS blanks,
    multiIf(fills, 0, is_blank, request, below_blank) AS blank,
    if(fills, below_blank, 0) AS filled,
    model,
    provider
FROM nodes
