-- Question: how often did the application's own caches answer, and what did that avoid?
-- Fragments: time (start of the interval), dimensions (`expression AS d0,` …), keys, filters.
-- Parameters: project, start, end, max_rows, and those of the fragments.
-- Result: per group and kind (exact, semantic): lookups, hits, hits whose cost is known, their avoided_usd.
SELECT
    $time AS time,
    $dimensions
    c.kind AS kind,
    count() AS lookups,
    countIf(c.hit) AS hits,
    countIf(c.hit AND isNotNull(c.avoided_usd)) AS known_hits,
    sumIf(ifNull(c.avoided_usd, toDecimal128(0, 12)), c.hit) AS avoided_usd
FROM lookups AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND ($filters)
GROUP BY $keys, kind
ORDER BY lookups DESC, $keys, kind
LIMIT {max_rows:UInt64}
