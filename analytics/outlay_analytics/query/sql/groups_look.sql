-- Question: into how many steps does a window fall, and about how many groups has it?
-- Fragments: source (see spend_source.py, not exact), dimensions (d0 …). Parameters: those of the source.
-- Result: one row: steps; groups, exact where they are few, else within a few percent; replaced rows count, too.
SELECT
    uniqExact(source.time) AS steps,
    uniqCombined(14)($dimensions) AS groups
FROM $source AS source
