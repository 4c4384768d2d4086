-- Question: what did each customer, user or session cost?
-- Fragments: source (see spend_source.py) with d0 the dimension. Parameters: those of the source.
-- Result: one row per time and unit: unit (empty and is_loose where calls do not say), counts of calls, USD over priced calls.
(
    SELECT
        time,
        d0 AS unit,
        d0 = '' AS is_loose,
        '' AS trace_id,
        d0 != '' AS is_unit,
        sum(calls) AS calls,
        sum(errors) AS errors,
        sum(priced_calls) AS priced_calls,
        sum(cost_usd) AS cost_usd
    FROM $source AS source
    GROUP BY time, unit
)
