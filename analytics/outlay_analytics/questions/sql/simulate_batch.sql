-- A change of what is simulated: calls of the standard tier go to the batch tier.
-- Fragments: source, standard (names of that tier).
SELECT * REPLACE (
    if(lower(s.service_tier) IN ($standard), 'batch', s.service_tier) AS service_tier,
    toUInt8(s.touched OR lower(s.service_tier) IN ($standard)) AS touched
)
FROM ($source) AS s
