-- Question: which look-ups of the application's own caches lie in a window, where no clean rollup tells?
-- Fragments: time (start of the interval), dimensions (`expression AS d0,` …), others (condition on started_at), filters.
-- Parameters: project, start, end, and those of the fragments.
-- Result: one row per look-up, with the columns of source_lookup_hours.sql.
SELECT
    $time AS time,
    $dimensions
    c.kind AS kind,
    toUInt64(1) AS lookups,
    toUInt64(c.hit) AS hits,
    toUInt64(c.hit AND isNotNull(c.avoided_usd)) AS known_hits,
    if(c.hit, ifNull(c.avoided_usd, toDecimal128(0, 12)), toDecimal128(0, 12)) AS avoided_usd
FROM lookups AS c FINAL
PREWHERE c.project = {project:String} AND $others
WHERE c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND ($filters)
