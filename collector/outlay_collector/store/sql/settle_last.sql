-- The last words on requests: what their spans of the last precedence, {next}, say.
SELECT
    s.* EXCEPT (id, context, lookup),
    m.winner AS id,
    t.context AS context,
    t.lookup AS lookup,
    s.rank <= 10 AND s.counts[1] IS NOT NULL AND s.counts[5] IS NULL AS cut
FROM settle_spans AS s
INNER JOIN (SELECT id, winner FROM settle_members WHERE precedence = {next:UInt32}) AS m ON s.id = m.id
LEFT ANY JOIN settle_tree AS t ON s.id = t.id
