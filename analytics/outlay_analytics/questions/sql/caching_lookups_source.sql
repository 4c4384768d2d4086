-- Question: which look-ups of the application's own caches lie in a window?
-- Fragments: time (start of the interval), dimensions (`expression AS d0,` …), filters.
-- Parameters: project, start, end, and those of the fragments.
-- Result: one row per look-up: time, d0 …, kind, hit, usd (avoided, NULL where unknown).
(
    SELECT
        $time AS time,
        $dimensions
        c.kind AS kind,
        c.hit AS hit,
        c.avoided_usd AS usd
    FROM lookups AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND ($filters)
)
