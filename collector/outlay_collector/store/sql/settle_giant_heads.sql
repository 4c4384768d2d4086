-- From where to go down again: spans that speak of usage or of a cache, whose sums depend on all that is below them, and
-- new spans where anything is to be inherited. Below a new span that says nothing, nothing changes.
INSERT INTO settle_touched
SELECT DISTINCT
    s.id AS id,
    {step:UInt8} AS step,
    0 AS depth,
    0 AS is_read
FROM settle_spans AS s
INNER JOIN (SELECT id, depth FROM settle_touched WHERE step = {step:UInt8} - 1) AS t ON s.id = t.id
WHERE s.usage_role > 0 OR s.cache_kind != '' OR (t.depth = 0 AND (s.project, s.trace_id) IN (
    SELECT project, trace_id
    FROM settle_spans
    WHERE notEmpty(context) AND id IN (SELECT id FROM settle_touched WHERE step = {step:UInt8} - 1)
))
