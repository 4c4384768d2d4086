-- Spans without a known parent start the tree; which says which are still missing.
INSERT INTO settle_tree
SELECT
    id,
    0 AS depth,
    0 AS above,
    0 AS usage_depth,
    if(usage_role > 0, id, 0) AS here,
    0 AS lookup,
    if(cache_kind != '', id, 0) AS lookup_here,
    context
FROM settle_spans
WHERE $which
