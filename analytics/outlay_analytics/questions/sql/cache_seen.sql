-- Question: which similarities did lookups in semantic caches find?
-- Fragments: filters (conditions on c). Parameters: project, start, end.
-- Result: one row: lookups that say a similarity, how many of them hit, up to 31 distinct similarities, the lowest, the
-- highest, and the lowest that was answered from the cache.
SELECT
    count() AS lookups,
    countIf(c.hit) AS hits,
    arraySort(groupUniqArray(31)(assumeNotNull(c.similarity))) AS similarities,
    min(c.similarity) AS lowest,
    max(c.similarity) AS highest,
    minIf(c.similarity, c.hit) AS hit_from
FROM lookups AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND isNotNull(c.similarity)
  AND isFinite(c.similarity)
  AND ($filters)
