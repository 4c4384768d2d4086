-- Question: what do the parts of each prompt cost that could be sent less of: documents, what was said before, tools?
-- Fragments: called (condition on c: its trace called a tool; 0 where none is known), filters (conditions on c), not_answers.
-- Parameters: project, start, end, prompts, documents, history, stable (names of parts), max_rows.
-- Result: one row per prompt: calls that say their parts, their input tokens, first and last; sums as (parts, tokens, USD), USD
-- at a part's share of each call's input, of these parts, and of tools in traces that called none; tokens and USD of history
-- that the provider's cache did not give (what it gave beyond the parts that stand before, is history); documents a call asked
-- for (tag top_k).
SELECT
    prompt,
    count() AS parted_calls,
    sum(input) AS input_tokens,
    sumMap(names, counts, arrayMap(n -> n * rate, counts)) AS parts,
    sumMapIf(names, counts, arrayMap(n -> n * rate, counts), NOT called) AS idle,
    sum(unread) AS unread_tokens,
    sum(unread * rate) AS unread_usd,
    countIf(called) AS calling_calls,
    avgIf(top_k, top_k > 0) AS documents_per_call,
    min(at) AS first_at,
    max(at) AS last_at
FROM
(
    SELECT
        c.prompt AS prompt,
        c.started_at AS at,
        arrayFilter(
            part -> has({documents:Array(String)}, part) OR has({history:Array(String)}, part) OR startsWith(part, 'tools'),
            mapKeys(c.prompt_parts)
        ) AS names,
        arrayMap(part -> toFloat64(c.prompt_parts[part]), names) AS counts,
        toFloat64(assumeNotNull(c.input_tokens)) AS input,
        toFloat64(
            c.cost_lines['input'] + c.cost_lines['cache_read'] + c.cost_lines['cache_write'] + c.cost_lines['cache_write_1h']
        ) / greatest(input, toFloat64(arraySum(mapValues(c.prompt_parts)))) AS rate,
        arraySum((part, n) -> if(has({history:Array(String)}, part), n, 0.), names, counts) AS history,
        arraySum(arrayMap(part -> toFloat64(c.prompt_parts[part]), {stable:Array(String)}))
            + arraySum((part, n) -> if(startsWith(part, 'tools'), n, 0.), names, counts) AS before,
        history - least(greatest(toFloat64(ifNull(c.cache_read_tokens, 0)) - before, 0), history) AS unread,
        toFloat64OrZero(c.tags['top_k']) AS top_k,
        $called AS called
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.prompt IN {prompts:Array(String)}
      AND notEmpty(c.prompt_parts)
      AND c.input_tokens > 0
      AND isNotNull(c.cost_usd)
      AND c.cost_state != 'cached'
      AND c.operation NOT IN $not_answers
      AND ($filters)
)
GROUP BY prompt
LIMIT {max_rows:UInt32}
