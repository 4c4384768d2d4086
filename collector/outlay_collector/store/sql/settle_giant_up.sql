-- One level up from what changed: calls inherit from there, and what speaks of usage there may repeat them.
INSERT INTO settle_touched
SELECT DISTINCT
    g.pid AS id,
    {step:UInt8} AS step,
    {depth:UInt16} AS depth,
    1 AS is_read
FROM settle_giant AS g
WHERE g.id IN (SELECT id FROM settle_touched WHERE step = {step:UInt8} AND depth = {depth:UInt16} - 1)
    AND g.pid != 0 AND g.pid NOT IN (SELECT id FROM settle_touched) AND g.pid NOT IN (SELECT id FROM settle_spans)
