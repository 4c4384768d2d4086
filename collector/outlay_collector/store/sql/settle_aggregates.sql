-- Spans whose usage stands for what is below them: agents and chains, and calls that are no request of their own because
-- calls with other counts are below them.
INSERT INTO settle_aggregates
SELECT id
FROM settle_usage
WHERE usage_role = 2
UNION DISTINCT
SELECT p.id AS id
FROM settle_usage AS p
INNER JOIN settle_pairs AS x ON x.parent = p.id
INNER JOIN settle_usage AS c ON c.id = x.child
WHERE p.usage_role = 1 AND p.has_usage AND c.has_usage AND c.usage_role IN (1, 3) AND x.score = 0 AND NOT x.conflict AND NOT p.cached AND NOT c.cached
    AND p.id NOT IN (SELECT parent FROM settle_links)
    AND p.id NOT IN (SELECT child FROM settle_links)
