-- Question: how often did the application's own caches answer, and what did that avoid?
-- Fragments: relation (see lookup_source.py, or spend_shown.sql over it), is_rest (whether a row holds the groups
-- that are left out), id (what tells groups apart, UInt128), keys (`time`, d0 …).
-- Parameters: max_rows, and those of the relation.
-- Result: per group and kind (exact, semantic): is_rest, id, lookups, hits, hits whose cost is known, their avoided_usd.
SELECT
    $keys,
    $is_rest AS is_rest,
    $id AS id,
    kind,
    sum(source.lookups) AS lookups,
    sum(source.hits) AS hits,
    sum(source.known_hits) AS known_hits,
    sum(source.avoided_usd) AS avoided_usd
FROM $relation AS source
GROUP BY $keys, is_rest, kind
ORDER BY lookups DESC, $keys, kind
LIMIT {max_rows:UInt64}
