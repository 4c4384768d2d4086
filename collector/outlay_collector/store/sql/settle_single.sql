-- Requests that a single span speaks of, in the order of the spans: rows that come sorted are cheap to store.
INSERT INTO settle_requests
SELECT s.* REPLACE (
    t.context AS context,
    t.lookup AS lookup,
    m.conflict AS conflict
)
FROM settle_spans AS s
INNER JOIN (SELECT id, conflict FROM settle_members WHERE members = 1) AS m ON s.id = m.id
INNER JOIN settle_tree AS t ON s.id = t.id
