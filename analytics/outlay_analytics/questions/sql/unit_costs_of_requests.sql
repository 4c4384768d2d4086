-- Question: what did each logical request cost?
-- Fragments: time (start of the interval that the request's first call lies in, from `at`), alone (the same, of a call that is
-- a request by itself), filters, is_unit and is_unit_alone (conditions on a request, on such a call).
-- Parameters: project, start, end, and those of the fragments.
-- Result: as unit_costs_of_dimension.sql. The calls of one cascade run, or of one outlay.request_id, are one request;
-- any other call is one by itself, and is not grouped: ten million groups do not fit into memory, ten million rows need none.
-- A retry that does not say of which request it is one belongs to none (unit is empty, is_loose).
--
-- A request ended well if its last call did and, in a cascade that says so, an attempt was accepted.
(
    SELECT
        $alone AS time,
        if(c.attempt > 1, '', c.call_id) AS unit,
        c.attempt > 1 AS is_loose,
        c.trace_id AS trace_id,
        c.attempt <= 1 AND $is_unit_alone AS is_unit,
        toUInt64(1) AS calls,
        toUInt64(c.status = 'error') AS errors,
        toUInt64(isNotNull(c.cost_usd)) AS priced_calls,
        ifNull(c.cost_usd, toDecimal128(0, 12)) AS cost_usd
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.cascade_run_id = '' AND c.request_id = ''
      AND ($filters)

    UNION ALL

    SELECT
        $time AS time,
        unit,
        false AS is_loose,
        argMin(c_trace_id, (at, c_trace_id)) AS trace_id,
        $is_unit AS is_unit,
        count() AS calls,
        countIf(failed) AS errors,
        count(usd) AS priced_calls,
        sum(ifNull(usd, toDecimal128(0, 12))) AS cost_usd
    FROM
    (
        SELECT
            if(
                c.cascade_run_id != '',
                concat('run ', c.cascade_name, ' ', c.cascade_run_id),
                concat('request ', c.request_id)
            ) AS unit,
            c.trace_id AS c_trace_id,
            c.started_at AS at,
            c.status = 'error' AS failed,
            c.cascade_outcome AS outcome,
            c.cost_usd AS usd
        FROM calls AS c FINAL
        WHERE c.project = {project:String}
          AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
          AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
          AND NOT (c.cascade_run_id = '' AND c.request_id = '')
          AND ($filters)
    )
    GROUP BY unit
)
