-- Question: what does the rollup hold of look-ups in these clean hours?
-- Fragments: time (start of the interval), dimensions (`expression AS d0,` …), hours (condition on h), filters.
-- Parameters: project, and those of the fragments.
-- Result: one row per rollup key: time, d0 …, kind, lookups, hits, known_hits, avoided_usd.
SELECT
    $time AS time,
    $dimensions
    c.kind AS kind,
    c.lookups AS lookups,
    c.hits AS hits,
    c.known_hits AS known_hits,
    c.avoided_usd AS avoided_usd
FROM
(
    SELECT *
    FROM lookup_hourly AS h FINAL
    PREWHERE h.project = {project:String} AND $hours
) AS c
WHERE $filters
