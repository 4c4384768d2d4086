-- Question: what did each scored answer cost, and was it a success?
-- Fragments: scored (see scored.sql), success, judged (conditions on it). Parameters: those of it.
-- Result: as unit_costs_of_dimension.sql: what an answer costs is what scored.sql says; one whose calls do not all have a known
-- cost has none. Of several scores of one name most decide. Errors are not told apart.
(
    SELECT
        min(time) AS time,
        paid_for AS unit,
        false AS is_loose,
        substringIndex(paid_for, ' ', 1) AS trace_id,
        avg($success) >= 0.5 AS is_unit,
        toUInt64(length(any(answers.paid))) AS calls,
        CAST(NULL AS Nullable(UInt64)) AS errors,
        if(isNull(any(answers.cost_usd)), 0, calls) AS priced_calls,
        ifNull(any(answers.cost_usd), toDecimal128(0, 12)) AS cost_usd
    FROM ($scored) AS answers
    WHERE $judged
    GROUP BY paid_for
)
