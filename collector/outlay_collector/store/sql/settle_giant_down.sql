-- One level down from the heads.
INSERT INTO settle_touched
SELECT
    id,
    {step:UInt8} AS step,
    {depth:UInt16} AS depth,
    id NOT IN (SELECT id FROM settle_spans) AS is_read
FROM settle_giant
WHERE pid IN (SELECT id FROM settle_touched WHERE step = {step:UInt8} AND depth = {depth:UInt16} - 1)
    AND id NOT IN (SELECT id FROM settle_touched WHERE step = {step:UInt8})
