-- How many spans of this run are of the kinds that a step is for: a step without any is left out.
SELECT
    count() AS spans,
    countIf(usage_role > 0) AS speakers,
    countIf(usage_role = 4) AS tails,
    countIf(cache_kind != '') AS lookups
FROM settle_spans
