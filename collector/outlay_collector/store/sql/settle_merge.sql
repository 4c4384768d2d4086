-- Requests of one span or several: what the span at {precedence} says, completed by what those after it say (rest). From the
-- last but one up to the first, which is the winner's. Identity is the winner's, and each field the first word on
-- it; each count comes from a span that counted it, and from an estimate only where none did. Columns that only tell spans
-- apart are there for the shape.
-- In the order of the spans: rows that come sorted are cheap to store.
INSERT INTO $into
WITH
greatest(length(s.counts), length(o.counts)) AS size,
o.counted AND s.estimated AS turned,
arrayResize(if(turned, o.counts, s.counts), size) AS first,
arrayResize(if(turned, s.counts, o.counts), size) AS second,
if(turned, false, s.estimated) AS first_guesses,
if(turned, true, o.estimated) AS second_guesses,
-- Of a stream that was cut, a counted output is the count that it began with.
arrayMap((x, n) -> if(n = 5 AND cut AND NOT first_guesses, NULL, x), first, range(1, size + 1)) AS told,
arrayMap((y, n) -> if(n = 5 AND cut AND NOT second_guesses, NULL, y), second, range(1, size + 1)) AS completes
SELECT
    m.winner AS id,
    0 AS pid,
    s.trace AS trace,
    s.project AS project,
    s.trace_id AS trace_id,
    s.span_id AS span_id,
    s.parent_span_id AS parent_span_id,
    s.started_at AS started_at,
    s.duration_ns AS duration_ns,
    s.name AS name,
    if(s.service != '', s.service, o.service) AS service,
    if(s.environment != '', s.environment, o.environment) AS environment,
    s.scope_name AS scope_name,
    s.dialect AS dialect,
    s.rank AS rank,
    s.usage_role AS usage_role,
    s.failed AS failed,
    s.cached AS cached,
    if(s.provider != '', s.provider, o.provider) AS provider,
    if(s.request_model != '', s.request_model, o.request_model) AS request_model,
    if(s.response_model != '', s.response_model, o.response_model) AS response_model,
    if(s.response_id != '', s.response_id, o.response_id) AS response_id,
    if(s.service_tier != '', s.service_tier, o.service_tier) AS service_tier,
    if(s.operation != '', s.operation, o.operation) AS operation,
    arrayMap((x, y) -> ifNull(x, y), told, completes) AS counts,
    if(empty(s.other_usage) OR (o.counted AND s.estimated AND notEmpty(o.other_usage)), o.other_usage, s.other_usage) AS other_usage,
    s.has_usage OR o.has_usage AS has_usage,
    -- Input or output is a guess.
    first_guesses OR second_guesses AND arrayExists(n -> isNull(told[n]) AND isNotNull(completes[n]), [1, 5]) AS estimated,
    s.billed_failure OR o.billed_failure AS billed_failure,
    coalesce(s.reported_cost_usd, o.reported_cost_usd) AS reported_cost_usd,
    coalesce(s.streamed, o.streamed) AS streamed,
    coalesce(s.time_to_first_token_ms, o.time_to_first_token_ms) AS time_to_first_token_ms,
    greatest(s.attempt, o.attempt) AS attempt,
    if(s.request_id != '', s.request_id, o.request_id) AS request_id,
    if(s.error_type != '', s.error_type, o.error_type) AS error_type,
    mapUpdate(o.context, t.context) AS context,
    if(s.cache_kind != '', s.cache_kind, o.cache_kind) AS cache_kind,
    if(s.cache_kind != '', s.cache_hit, o.cache_hit) AS cache_hit,
    if(s.cache_kind != '', s.cache_similarity, o.cache_similarity) AS cache_similarity,
    s.avoided_input_tokens AS avoided_input_tokens,
    s.avoided_output_tokens AS avoided_output_tokens,
    s.tail_s AS tail_s,
    if(notEmpty(s.prompt_parts), s.prompt_parts, o.prompt_parts) AS prompt_parts,
    if(s.prompt_hash != 0, s.prompt_hash, o.prompt_hash) AS prompt_hash,
    if(s.prefix_hash != 0, s.prefix_hash, o.prefix_hash) AS prefix_hash,
    if(empty(o.flags), s.flags, arraySort(arrayDistinct(arrayConcat(s.flags, o.flags)))) AS flags,
    if(t.lookup != 0, t.lookup, o.lookup) AS lookup,
    m.conflict AS conflict,
    0 AS unattributed,
    s.began_at AS began_at,
    s.ended_at AS ended_at,
    s.response_key AS response_key,
    s.fingerprint AS fingerprint,
    s.stream AS stream,
    {precedence:UInt32} AS precedence,
    -- The client's own span counts what came in: where it has input and no output, the stream was not read to its end, and
    -- what others call output is the count that it began with.
    o.cut OR (s.rank <= 10 AND s.counts[1] IS NOT NULL AND s.counts[5] IS NULL) AS cut
FROM settle_spans AS s
INNER JOIN (SELECT id, winner, conflict FROM settle_members WHERE precedence = {precedence:UInt32}) AS m ON s.id = m.id
LEFT ANY JOIN settle_tree AS t ON s.id = t.id
LEFT ANY JOIN
(
    SELECT *, has_usage AND NOT estimated AS counted
    FROM ($rest)
) AS o ON m.winner = o.id
