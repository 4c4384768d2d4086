-- Each parent is one request with at most one of its children: the surest, of equals the last.
INSERT INTO settle_links
SELECT
    argMax(child, (score, started_at, child)) AS child,
    parent,
    if(max(score) = 9, 'raw_child', if(max(score) = 8, 'same_response', 'same_request')) AS reason
FROM settle_pairs
WHERE score > 0
GROUP BY parent
