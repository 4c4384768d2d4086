-- Requests that several spans speak of: the best word on each field. Identity is the winner's; counts come from the most
-- trusted span that has them, an estimate only when nothing better is there. Same columns as settle_spans.
INSERT INTO settle_requests
SELECT
    f.winner AS id,
    0 AS pid,
    any(f.project) AS project,
    argMin(f.trace_id, f.precedence) AS trace_id,
    argMin(f.span_id, f.precedence) AS span_id,
    argMin(f.parent_span_id, f.precedence) AS parent_span_id,
    argMin(f.started_at, f.precedence) AS started_at,
    argMin(f.duration_ns, f.precedence) AS duration_ns,
    argMin(f.name, f.precedence) AS name,
    argMinIf(f.service, f.precedence, f.service != '') AS service,
    argMinIf(f.environment, f.precedence, f.environment != '') AS environment,
    argMin(f.scope_name, f.precedence) AS scope_name,
    argMin(f.dialect, f.precedence) AS dialect,
    min(f.rank) AS rank,
    1 AS usage_role,
    argMin(f.failed, f.precedence) AS failed,
    0 AS cached,
    argMinIf(f.provider, f.precedence, f.provider != '') AS provider,
    argMinIf(f.request_model, f.precedence, f.request_model != '') AS request_model,
    argMinIf(f.response_model, f.precedence, f.response_model != '') AS response_model,
    argMinIf(f.response_id, f.precedence, f.response_id != '') AS response_id,
    argMinIf(f.service_tier, f.precedence, f.service_tier != '') AS service_tier,
    argMinIf(f.operation, f.precedence, f.operation != '') AS operation,
    argMinIf(f.input_tokens, f.trust, f.input_tokens IS NOT NULL) AS input_tokens,
    argMinIf(f.cache_read_tokens, f.trust, f.cache_read_tokens IS NOT NULL) AS cache_read_tokens,
    argMinIf(f.cache_write_tokens, f.trust, f.cache_write_tokens IS NOT NULL) AS cache_write_tokens,
    argMinIf(f.cache_write_1h_tokens, f.trust, f.cache_write_1h_tokens IS NOT NULL) AS cache_write_1h_tokens,
    -- The client's own span counts what came in: where it has input and no output, the stream was not read to its end, and
    -- what others call output is the count that it began with.
    if(countIf(f.rank <= 10 AND f.input_tokens IS NOT NULL AND f.output_tokens IS NULL) > 0, NULL, argMinIf(f.output_tokens, f.trust, f.output_tokens IS NOT NULL)) AS output_tokens,
    argMinIf(f.reasoning_tokens, f.trust, f.reasoning_tokens IS NOT NULL) AS reasoning_tokens,
    argMinIf(f.other_usage, f.trust, notEmpty(f.other_usage)) AS other_usage,
    max(f.has_usage) AS has_usage,
    if(countIf(f.has_usage) > 0 AND countIf(f.has_usage AND NOT f.estimated) = 0, 1, 0) AS estimated,
    max(f.billed_failure) AS billed_failure,
    argMinIf(f.reported_cost_usd, f.precedence, f.reported_cost_usd IS NOT NULL) AS reported_cost_usd,
    argMinIf(f.streamed, f.precedence, f.streamed IS NOT NULL) AS streamed,
    argMinIf(f.time_to_first_token_ms, f.precedence, f.time_to_first_token_ms IS NOT NULL) AS time_to_first_token_ms,
    max(f.attempt) AS attempt,
    argMinIf(f.request_id, f.precedence, f.request_id != '') AS request_id,
    argMinIf(f.error_type, f.precedence, f.error_type != '') AS error_type,
    arrayFold((a, x) -> mapUpdate(a, x.2), arrayReverseSort(x -> x.1, groupArray((f.precedence, f.context))), CAST(map() AS Map(String, String))) AS context,
    argMinIf(f.cache_kind, f.precedence, f.cache_kind != '') AS cache_kind,
    argMinIf(f.cache_hit, f.precedence, f.cache_kind != '') AS cache_hit,
    argMinIf(f.cache_similarity, f.precedence, f.cache_kind != '') AS cache_similarity,
    CAST(NULL AS Nullable(UInt64)) AS avoided_input_tokens,
    CAST(NULL AS Nullable(UInt64)) AS avoided_output_tokens,
    NULL AS tail_s,
    argMinIf(f.prompt_parts, f.precedence, notEmpty(f.prompt_parts)) AS prompt_parts,
    argMinIf(f.prompt_hash, f.precedence, f.prompt_hash != 0) AS prompt_hash,
    argMinIf(f.prefix_hash, f.precedence, f.prefix_hash != 0) AS prefix_hash,
    arraySort(arrayDistinct(arrayFlatten(groupArray(f.flags)))) AS flags,
    argMinIf(f.lookup, f.precedence, f.lookup != 0) AS lookup,
    any(f.conflict) AS conflict,
    0 AS unattributed
FROM
(
    SELECT
        s.* EXCEPT (context),
        t.context AS context,
        t.lookup AS lookup,
        m.winner AS winner,
        m.conflict AS conflict,
        m.precedence AS precedence,
        s.estimated * 1000000 + m.precedence AS trust
    FROM (SELECT * FROM settle_members WHERE members > 1) AS m
    INNER JOIN settle_spans AS s ON m.id = s.id
    INNER JOIN settle_tree AS t ON m.id = t.id
) AS f
GROUP BY f.winner
