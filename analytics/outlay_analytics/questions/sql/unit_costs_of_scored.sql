-- Question: what did each scored answer cost, and was it a success?
-- Fragments: scored (see scored_found.sql), success, judged (conditions on it). Parameters: those of it.
-- Result: as unit_costs_of_dimension.sql: what an answer costs is what scored_found.sql says; one whose calls do not all have a known
-- cost has none. Of several scores of one name most decide. Errors are not told apart.
(
    SELECT
        min(time) AS time,
        concat(any(answers.trace_id), ' ', any(answers.paid_part)) AS unit,
        false AS is_loose,
        any(answers.trace_id) AS trace_id,
        avg($success) >= 0.5 AS is_unit,
        toUInt64(any(answers.paid_calls)) AS calls,
        CAST(NULL AS Nullable(UInt64)) AS errors,
        if(isNull(any(answers.cost_usd)), 0, calls) AS priced_calls,
        ifNull(any(answers.cost_usd), toDecimal128(0, 12)) AS cost_usd
    FROM ($scored) AS answers
    WHERE $judged
    GROUP BY paid_for
)
