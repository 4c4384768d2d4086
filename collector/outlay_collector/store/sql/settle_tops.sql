-- Every usage span that is no aggregate, with the topmost span of its chain. Chains are short: three doublings are eight.
INSERT INTO settle_tops
WITH
one AS (SELECT child AS id, parent AS up FROM settle_links),
two AS (SELECT a.id AS id, if(b.up = 0, a.up, b.up) AS up FROM one AS a LEFT ANY JOIN one AS b ON a.up = b.id),
four AS (SELECT a.id AS id, if(b.up = 0, a.up, b.up) AS up FROM two AS a LEFT ANY JOIN two AS b ON a.up = b.id),
eight AS (SELECT a.id AS id, if(b.up = 0, a.up, b.up) AS up FROM four AS a LEFT ANY JOIN four AS b ON a.up = b.id)
SELECT
    u.id AS id,
    if(l.up = 0, u.id, l.up) AS head
FROM settle_usage AS u
LEFT ANY JOIN eight AS l ON u.id = l.id
WHERE u.id NOT IN (SELECT id FROM settle_aggregates)
