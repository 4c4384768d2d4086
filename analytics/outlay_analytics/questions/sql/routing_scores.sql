-- Relation: the scored answers of routed requests: task, stratum, trace_id, tier, propensity, y (the score).
-- Fragments: scored (see scored_found.sql; `told` holds task, stratum, trace, tier, propensity). Parameters: those of it.
SELECT
    told[1] AS task,
    told[2] AS stratum,
    told[3] AS trace_id,
    told[4] AS tier,
    toFloat64(told[5]) AS propensity,
    assumeNotNull(value) AS y
FROM ($scored)
WHERE isNotNull(value) AND told[4] != '' AND told[5] != ''
