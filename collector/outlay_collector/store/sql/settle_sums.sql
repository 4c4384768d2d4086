-- Sums of the subtrees whose root has {depth} usage spans above it, and what an aggregate says beyond what is below it.
-- A request counts once, at the first of its spans in the trace.
INSERT INTO settle_sums
WITH
below AS (
    SELECT
        above AS id,
        count() AS children,
        sum(covers) AS covers,
        sum(input_tokens) AS input_tokens,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_write_tokens) AS cache_write_tokens,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
        sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(blanks) AS blanks,
        max(blank) AS blank,
        anyIf(model, model != '') AS model,
        anyIf(provider, provider != '') AS provider
    FROM settle_sums
    WHERE above != 0
    GROUP BY above
),
nodes AS (
    SELECT
        n.id AS id,
        n.above AS above,
        n.aggregate AS aggregate,
        n.counted AS counted,
        n.has_usage AS has_usage,
        n.failed AS failed,
        n.request AS request,
        n.input_tokens AS own_input,
        n.cache_read_tokens AS own_read,
        n.cache_write_tokens AS own_write,
        n.cache_write_1h_tokens AS own_write_1h,
        n.output_tokens AS own_output,
        n.reasoning_tokens AS own_reasoning,
        n.model AS own_model,
        n.provider AS own_provider,
        b.covers AS covers,
        b.input_tokens AS below_input,
        b.cache_read_tokens AS below_read,
        b.cache_write_tokens AS below_write,
        b.cache_write_1h_tokens AS below_write_1h,
        b.output_tokens AS below_output,
        b.reasoning_tokens AS below_reasoning,
        b.blanks AS below_blanks,
        b.blank AS below_blank,
        b.model AS below_model,
        b.provider AS below_provider,
        n.counted AND NOT n.aggregate AND NOT n.has_usage AND NOT n.failed AS is_blank,
        -- Input decides whether an aggregate speaks of more requests than are below it: none is without input.
        n.aggregate AND n.has_usage AND (b.covers = 0 OR ifNull(n.input_tokens > b.input_tokens, n.output_tokens > b.output_tokens)) AS surplus
    FROM settle_nodes AS n
    LEFT JOIN below AS b ON n.id = b.id
    WHERE n.usage_depth = {depth:UInt16}
)
SELECT
    id,
    above,
    aggregate,
    surplus,
    covers + if(aggregate, surplus AND below_blanks != 1, counted) AS covers,
    if(aggregate, if(surplus, greatest(ifNull(own_input, 0), below_input), below_input), if(counted, ifNull(own_input, 0), 0) + below_input) AS input_tokens,
    if(aggregate, if(surplus, greatest(ifNull(own_read, 0), below_read), below_read), if(counted, ifNull(own_read, 0), 0) + below_read) AS cache_read_tokens,
    if(aggregate, if(surplus, greatest(ifNull(own_write, 0), below_write), below_write), if(counted, ifNull(own_write, 0), 0) + below_write) AS cache_write_tokens,
    if(aggregate, if(surplus, greatest(ifNull(own_write_1h, 0), below_write_1h), below_write_1h), if(counted, ifNull(own_write_1h, 0), 0) + below_write_1h) AS cache_write_1h_tokens,
    if(aggregate, if(surplus, greatest(ifNull(own_output, 0), below_output), below_output), if(counted, ifNull(own_output, 0), 0) + below_output) AS output_tokens,
    if(aggregate, if(surplus, greatest(ifNull(own_reasoning, 0), below_reasoning), below_reasoning), if(counted, ifNull(own_reasoning, 0), 0) + below_reasoning) AS reasoning_tokens,
    if(surplus, greatest(ifNull(own_input, 0), below_input) - below_input, 0) AS rest_input_tokens,
    if(surplus, greatest(ifNull(own_read, 0), below_read) - below_read, 0) AS rest_cache_read_tokens,
    if(surplus, greatest(ifNull(own_write, 0), below_write) - below_write, 0) AS rest_cache_write_tokens,
    if(surplus, greatest(ifNull(own_write_1h, 0), below_write_1h) - below_write_1h, 0) AS rest_cache_write_1h_tokens,
    if(surplus, greatest(ifNull(own_output, 0), below_output) - below_output, 0) AS rest_output_tokens,
    if(surplus, greatest(ifNull(own_reasoning, 0), below_reasoning) - below_reasoning, 0) AS rest_reasoning_tokens,
    if(filled != 0, 0, below_blanks + is_blank) AS blanks,
    multiIf(filled != 0, 0, is_blank, request, below_blank) AS blank,
    if(aggregate AND surplus AND below_blanks = 1, below_blank, 0) AS filled,
    if(own_model != '', own_model, below_model) AS model,
    if(own_provider != '', own_provider, below_provider) AS provider
FROM nodes
