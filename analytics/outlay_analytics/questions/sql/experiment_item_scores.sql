-- Question: how was what each arm of an evaluation made of each item scored?
-- Fragments: scored (see scored_found.sql; `told` holds the arm and the item). Parameters: those of it, max_rows.
-- Result: one row per arm and item: its mean score; an item that was asked several times counts once.
SELECT
    told[1] AS arm,
    told[2] AS item,
    avg(value) AS score
FROM ($scored)
WHERE isNotNull(value) AND told[1] != '' AND told[2] != ''
GROUP BY arm, item
ORDER BY item, arm
LIMIT {max_rows:UInt32}
