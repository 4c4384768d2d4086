-- One level of the tree: children of the spans at depth {depth} - 1, with what they inherit.
INSERT INTO settle_tree
SELECT
    c.id AS id,
    {depth:UInt16} AS depth,
    p.here AS above,
    p.usage_depth + (p.here = p.id) AS usage_depth,
    if(c.usage_role > 0, c.id, p.here) AS here,
    p.lookup_here AS lookup,
    if(c.cache_kind != '', c.id, p.lookup_here) AS lookup_here,
    if(empty(c.context), p.context, mapUpdate(mapFilter((x, y) -> NOT ($context_hidden), p.context), c.context)) AS context
FROM settle_spans AS c
INNER JOIN (SELECT id, here, usage_depth, lookup_here, context FROM settle_tree WHERE depth = {depth:UInt16} - 1) AS p ON c.pid = p.id
