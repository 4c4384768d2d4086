-- Calls that the same prices hold for, taken together: one row with their counts added up, as price.sql wants them.
--
-- source  as of price.sql, with the columns of keys and sums
-- keys    names of columns to tell rows apart by as well, each with a comma behind it
-- sums    aggregates of other columns, likewise
-- alone   a condition on which calls are not added up
--
-- Parameters: from, until: no call of the source starts outside them.
-- Result: price.sql's columns, keys, sums, calls; requests and largest_input_tokens, for price.sql; times: by how much the
-- price of the row counts.
--
-- A cost is linear in the disjoint quantities of a call, so these are told apart as price.sql does, call by call, and added up
-- where the same rates hold: of the same names and tier, the same size of input, the same time as far as prices change with
-- it. A call with units beside tokens is added to none, only counted with its like.
WITH
    (SELECT arraySort(groupUniqArray(min_input_tokens)) FROM prices WHERE min_input_tokens > 0) AS sizes,
    (
        SELECT arraySort(groupUniqArray(moment))
        FROM (SELECT valid_from AS moment FROM prices UNION ALL SELECT starts_at FROM price_epochs)
        WHERE moment > toDateTime64({from:String}, 9, 'UTC') AND moment <= toDateTime64({until:String}, 9, 'UTC')
    ) AS moments,
    (
        SELECT arraySort(groupUniqArray(second))
        FROM (SELECT arrayJoin(arrayConcat(windows.start_s, windows.end_s)) AS second FROM model_matches)
    ) AS seconds
SELECT
    project,
    provider,
    request_model,
    response_model,
    service_tier,
    region,
    state_hint,
    min(at) AS started_at,
    if(is_alone, any(given), sum(given)) AS input_tokens,
    if(is_alone, any(read), sum(read)) AS cache_read_tokens,
    if(is_alone, any(write), sum(write)) AS cache_write_tokens,
    if(is_alone, any(write_1h), sum(write_1h)) AS cache_write_1h_tokens,
    if(is_alone, any(output), sum(output)) AS output_tokens,
    if(is_alone, any(reasoning), sum(reasoning)) AS reasoning_tokens,
    other_usage,
    $keys
    $sums
    count() AS calls,
    if(is_alone, 1, calls) AS requests,
    if(is_alone, calls, 1) AS times,
    max(given) AS largest_input_tokens
FROM
(
    SELECT
        * EXCEPT (
            input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, started_at
        ),
        started_at AS at,
        input_tokens AS given,
        output_tokens AS output,
        notEmpty(other_usage) OR ($alone) AS is_alone,
        if(is_alone, cache_read_tokens, least(ifNull(cache_read_tokens, 0), held)) AS read,
        if(is_alone, cache_write_tokens, least(written, toUInt64(held - ifNull(read, 0)))) AS write,
        if(is_alone, cache_write_1h_tokens, least(ifNull(cache_write_1h_tokens, 0), ifNull(write, 0))) AS write_1h,
        if(is_alone, reasoning_tokens, least(ifNull(reasoning_tokens, 0), ifNull(output_tokens, 0))) AS reasoning,
        if(is_alone, [given, read, write, write_1h, output, reasoning], []) AS own_counts,
        arrayCount(above -> ifNull(given, 0) > above, sizes) AS size,
        arrayCount(moment -> at >= moment, moments) AS since,
        if(empty(seconds), 0, 100 * arrayCount(s -> toUnixTimestamp(at) % 86400 >= s, seconds) + toDayOfWeek(at, 0, 'UTC'))
            AS hours
    FROM
    (
        SELECT
            *,
            greatest(ifNull(cache_write_tokens, 0), ifNull(cache_write_1h_tokens, 0)) AS written,
            ifNull(input_tokens, ifNull(cache_read_tokens, 0) + written) AS held
        FROM ($source)
    )
)
GROUP BY
    project, provider, request_model, response_model, service_tier, region, state_hint, other_usage, $keys
    isNull(given), isNull(output), is_alone, own_counts, size, since, hours
