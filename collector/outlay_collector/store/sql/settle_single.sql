-- Requests that a single span speaks of, and what aggregates say beyond their descendants.
INSERT INTO settle_requests
SELECT s.* REPLACE (
    t.context AS context,
    t.lookup AS lookup,
    m.conflict AS conflict
)
FROM (SELECT id, conflict FROM settle_members WHERE members = 1) AS m
INNER JOIN settle_spans AS s ON m.id = s.id
INNER JOIN settle_tree AS t ON m.id = t.id
