-- The calls of some hours by the rollups' key, read once for both tables.
--
-- Sums are over the calls that say a number; a cost counts in all its columns or in none.
SELECT
    toStartOfHour(started_at) AS hour,
    service,
    environment,
    feature,
    team,
    provider,
    model,
    operation,
    cascade_name AS cascade,
    ifNull(toInt16(calls.cascade_tier), -1) AS tier,
    attempt > 1 AS repeated,
    cost_state,
    status,
    count() AS n_calls,
    countIf(isNotNull(cost_usd)) AS n_priced,
    sum(assumed) AS n_assumed,
    sum(cached_unknown) AS n_cached_unknown,
    ifNull(sum(input_tokens), 0) AS s_input_tokens,
    ifNull(sum(cache_read_tokens), 0) AS s_cache_read_tokens,
    ifNull(sum(cache_write_tokens), 0) AS s_cache_write_tokens,
    ifNull(sum(cache_write_1h_tokens), 0) AS s_cache_write_1h_tokens,
    ifNull(sum(output_tokens), 0) AS s_output_tokens,
    ifNull(sum(reasoning_tokens), 0) AS s_reasoning_tokens,
    ifNull(sum(cost_usd), 0) AS s_cost_usd,
    ifNull(sumIf(list_cost_usd, isNotNull(cost_usd)), 0) AS s_list_cost_usd,
    ifNull(sumIf(uncached_cost_usd, isNotNull(cost_usd)), 0) AS s_uncached_cost_usd,
    sum(cost_lines['input']) AS s_line_input_usd,
    sum(cost_lines['cache_read']) AS s_line_cache_read_usd,
    sum(cost_lines['cache_write']) AS s_line_cache_write_usd,
    sum(cost_lines['cache_write_1h']) AS s_line_cache_write_1h_usd,
    sum(cost_lines['output']) AS s_line_output_usd,
    sumMap([toUInt16(floor(log2(greatest(duration_ns / 1000, 1)) * 16))], [toUInt64(1)]) AS histogram,
    countIf(prompt != '' AND cost_state != 'cached') AS n_prompts
FROM calls FINAL
WHERE project = {project:String}
  AND started_at >= {first:DateTime} AND started_at < {last:DateTime} + INTERVAL 1 HOUR
  AND toStartOfHour(started_at) IN {hours:Array(DateTime)}
GROUP BY hour, service, environment, feature, team, provider, model, operation, cascade, tier, repeated, cost_state, status
SETTINGS do_not_merge_across_partitions_select_final = 1
