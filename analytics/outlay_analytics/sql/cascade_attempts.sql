-- The attempts of cascades, one row each: the calls of a run that share tier, outcome and confidence belong together,
-- since the attributes may sit on one span around several calls.
-- Fragments: time (start of the interval that `run_started` lies in), filters. Parameters: project, start, end, name
-- (one cascade, or empty for all).
-- Result: cascade, run, time, tier, model (of the first call), outcome (accepted, escalated, failed; where nobody said,
-- the last attempt of a run counts as accepted unless it failed), cost and whether it is known, tokens and lines by part.
SELECT
    *,
    min(started_at) OVER (PARTITION BY cascade, run) AS run_started,
    max(tier) OVER (PARTITION BY cascade, run) AS run_tier,
    $time AS time,
    multiIf(said != '', said, tier < run_tier, 'escalated', failed, 'failed', 'accepted') AS outcome
FROM
(
    SELECT
        c.cascade_name AS cascade,
        if(c.cascade_run_id = '', c.trace_id, c.cascade_run_id) AS run,
        toUInt16(ifNull(c.cascade_tier, 0)) AS tier,
        c.cascade_outcome AS said,
        c.cascade_confidence AS confidence,
        any(c.cascade_threshold) AS threshold,
        argMin(c.model, (c.started_at, c.span_id)) AS model,
        min(c.started_at) AS started_at,
        max(toUnixTimestamp64Nano(c.started_at) + toInt64(c.duration_ns)) - toUnixTimestamp64Nano(started_at) AS duration_ns,
        argMax(c.status, (c.started_at, c.span_id)) = 'error' AS failed,
        count() AS calls,
        count(c.cost_usd) AS priced_calls,
        sum(ifNull(c.cost_usd, toDecimal128(0, 12))) AS cost_usd,
        sum(if(c.cost_state IN ('not_billed', 'cached'), 0, 1)) AS billed_calls,
        sum(ifNull(c.input_tokens, 0)) AS input_tokens,
        sum(ifNull(c.cache_read_tokens, 0)) AS read_tokens,
        sum(ifNull(c.cache_write_tokens, 0)) AS write_tokens,
        sum(ifNull(c.cache_write_1h_tokens, 0)) AS write_1h_tokens,
        sum(ifNull(c.output_tokens, 0)) AS output_tokens,
        countIf(isNotNull(c.input_tokens) OR isNotNull(c.output_tokens)) AS counted_calls,
        sum(c.cost_lines['input']) AS input_usd,
        sum(c.cost_lines['cache_read']) AS read_usd,
        sum(c.cost_lines['cache_write']) AS write_usd,
        sum(c.cost_lines['cache_write_1h']) AS write_1h_usd,
        sum(c.cost_lines['output'] + c.cost_lines['reasoning']) AS output_usd,
        groupUniqArray(100)((c.trace_id, c.span_id)) AS spans,
        groupUniqArray(100)((c.trace_id, c.parent_span_id)) AS parents
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.cascade_name != ''
      AND ({name:String} = '' OR c.cascade_name = {name:String})
      AND ($filters)
    GROUP BY cascade, run, tier, said, confidence
)
