-- Calls as they are billed: written by settle, one row per billable request or answer from the application's cache.
-- Unknown counts and costs are NULL, unknown names are empty.

-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS calls
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Lower-case hex' CODEC(ZSTD(1)),
    span_id String COMMENT 'Lower-case hex' CODEC(ZSTD(1)),
    n UInt16 COMMENT 'Which billable call of the span, from 0' CODEC(ZSTD(1)),
    call_id String ALIAS concat(trace_id, ':', span_id, ':', toString(n)) COMMENT 'trace:span:n',
    parent_span_id String COMMENT 'Parent of the span' CODEC(ZSTD(1)),
    started_at DateTime64(9, 'UTC') COMMENT 'Start of the call' CODEC(Delta(8), ZSTD(1)),
    duration_ns UInt64 COMMENT 'Duration' CODEC(T64, ZSTD(1)),
    time_to_first_token_ms Nullable(Float32) COMMENT 'Milliseconds to the first token of a stream' CODEC(ZSTD(1)),
    name String COMMENT 'Span name' CODEC(ZSTD(1)),
    service LowCardinality(String) COMMENT 'service.name',
    environment LowCardinality(String) COMMENT 'deployment.environment.name',
    feature LowCardinality(String) COMMENT 'outlay.feature, own or inherited from an ancestor',
    team LowCardinality(String) COMMENT 'outlay.team, own or inherited',
    customer LowCardinality(String) COMMENT 'outlay.customer, own or inherited',
    user String COMMENT 'user.id, own or inherited' CODEC(ZSTD(1)),
    session String COMMENT 'session.id or gen_ai.conversation.id, own or inherited' CODEC(ZSTD(1)),
    task LowCardinality(String) COMMENT 'outlay.task, own or inherited',
    prompt LowCardinality(String) COMMENT 'gen_ai.prompt.name, own or inherited',
    prompt_version LowCardinality(String) COMMENT 'outlay.prompt.version, own or inherited',
    provider LowCardinality(String) COMMENT 'Canonical gen_ai.provider.name',
    request_model LowCardinality(String) COMMENT 'Model asked for',
    response_model LowCardinality(String) COMMENT 'Model that answered',
    model LowCardinality(String) COMMENT 'Response model where known, else request model',
    response_id String COMMENT 'Provider''s id of the response' CODEC(ZSTD(1)),
    service_tier LowCardinality(String) COMMENT 'Tier of the response: default, flex, priority, batch …',
    operation LowCardinality(String) COMMENT 'gen_ai.operation.name: chat, embeddings …',
    input_tokens Nullable(UInt64) COMMENT 'All input, cached reads and writes included' CODEC(T64, ZSTD(1)),
    cache_read_tokens Nullable(UInt64) COMMENT 'Part of input read from the provider''s cache' CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(UInt64) COMMENT 'Part of input written to the cache, 1 h part included' CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens Nullable(UInt64) COMMENT 'Part of the writes kept for an hour' CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) COMMENT 'All output, reasoning included' CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt64) COMMENT 'Part of output that was reasoning' CODEC(T64, ZSTD(1)),
    other_usage Map(LowCardinality(String), UInt64) COMMENT 'input_audio_tokens, output_audio_tokens, input_image_tokens, output_image_tokens, web_searches …' CODEC(ZSTD(1)),
    cost_usd Nullable(Decimal(38, 12)) COMMENT 'Contracted cost; 0 when not_billed or cached, NULL when unpriced or no_usage' CODEC(ZSTD(1)),
    list_cost_usd Nullable(Decimal(38, 12)) COMMENT 'At the provider''s list price' CODEC(ZSTD(1)),
    uncached_cost_usd Nullable(Decimal(38, 12)) COMMENT 'At contracted prices as if nothing had been cached' CODEC(ZSTD(1)),
    cost_lines Map(LowCardinality(String), Decimal(38, 12)) COMMENT 'input, cache_read, cache_write, cache_write_1h, output …: disjoint, sum = cost_usd' CODEC(ZSTD(1)),
    reported_cost_usd Nullable(Decimal(38, 12)) COMMENT 'What the client said' CODEC(ZSTD(1)),
    cost_state LowCardinality(String) COMMENT 'computed, estimated, unpriced, no_usage, not_billed, cached',
    price_version LowCardinality(String) COMMENT 'Version of the price list used, empty when none',
    matched_model LowCardinality(String) COMMENT 'provider:model in the price list, empty when none',
    match_kind LowCardinality(String) COMMENT 'How the model was matched: exact, alias, prefix_stripped …',
    streamed Nullable(Bool) COMMENT 'Whether the answer was streamed',
    attempt UInt16 COMMENT 'outlay.attempt, from 1; 1 when not given' CODEC(ZSTD(1)),
    request_id String COMMENT 'outlay.request_id: attempts of one logical request share it' CODEC(ZSTD(1)),
    status LowCardinality(String) COMMENT 'ok or error',
    error_type LowCardinality(String) COMMENT 'error.type',
    dialect LowCardinality(String) COMMENT 'Which dialect table read the span',
    tags Map(LowCardinality(String), String) COMMENT 'outlay.tag.*, own and inherited; unattributed = true for a parent''s surplus' CODEC(ZSTD(1)),
    cascade_name LowCardinality(String) COMMENT 'outlay.cascade.name, own or of the span around it',
    cascade_run_id String COMMENT 'outlay.cascade.run_id' CODEC(ZSTD(1)),
    cascade_tier Nullable(UInt8) COMMENT 'outlay.cascade.tier, from 0' CODEC(ZSTD(1)),
    cascade_outcome LowCardinality(String) COMMENT 'accepted, escalated, failed',
    cascade_confidence Nullable(Float64) COMMENT 'outlay.cascade.confidence' CODEC(ZSTD(1)),
    cascade_threshold Nullable(Float64) COMMENT 'outlay.cascade.threshold' CODEC(ZSTD(1)),
    cache_kind LowCardinality(String) COMMENT 'exact, semantic: lookup in the application''s own cache',
    cache_hit Nullable(Bool) COMMENT 'Whether the lookup hit' CODEC(ZSTD(1)),
    cache_similarity Nullable(Float64) COMMENT 'Similarity of a semantic hit' CODEC(ZSTD(1)),
    cache_avoided_input_tokens Nullable(UInt64) COMMENT 'Input the hit avoided' CODEC(ZSTD(1)),
    cache_avoided_output_tokens Nullable(UInt64) COMMENT 'Output the hit avoided' CODEC(ZSTD(1)),
    cache_avoided_usd Nullable(Decimal(38, 12)) COMMENT 'Cost the hit avoided' CODEC(ZSTD(1)),
    experiment LowCardinality(String) COMMENT 'outlay.experiment.name, own or inherited',
    arm LowCardinality(String) COMMENT 'outlay.experiment.arm, own or inherited',
    route_tier LowCardinality(String) COMMENT 'outlay.route.tier',
    route_reason LowCardinality(String) COMMENT 'outlay.route.reason',
    prompt_parts Map(LowCardinality(String), UInt64) COMMENT 'outlay.prompt.part.*.tokens' CODEC(ZSTD(1)),
    prompt_hash UInt64 COMMENT 'Hash of the whole prompt, 0 when it was not captured' CODEC(ZSTD(1)),
    prefix_hash UInt64 COMMENT 'Hash of the first 4,096 characters of the prompt, 0 when shorter or not captured' CODEC(ZSTD(1)),
    flags Array(LowCardinality(String)) COMMENT 'Contradictions and repairs, for example negative_usage' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Settle run; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone: this key is no longer a call' CODEC(ZSTD(1)),
    INDEX trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX response response_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (project, toStartOfHour(started_at), trace_id, span_id, n)
-- One file for all columns until a part is large: settle writes many small parts of many columns.
SETTINGS min_bytes_for_wide_part = 134217728, non_replicated_deduplication_window = 1000, $durable;

-- Spans that repeat the usage of a call: known, not counted.
-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS repeats
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace of the repeating span' CODEC(ZSTD(1)),
    span_id String COMMENT 'Repeating span' CODEC(ZSTD(1)),
    started_at DateTime64(9, 'UTC') COMMENT 'Start of the repeating span' CODEC(Delta(8), ZSTD(1)),
    reason LowCardinality(String) COMMENT 'repeats_descendants, same_response, same_request, raw_child …',
    of_trace_id String COMMENT 'Trace of the call that is counted instead, empty for several' CODEC(ZSTD(1)),
    of_span_id String COMMENT 'Span of the call that is counted instead, empty for several' CODEC(ZSTD(1)),
    response_id String COMMENT 'Provider''s id of the response, as the repeating span has it' CODEC(ZSTD(1)),
    dialect LowCardinality(String) COMMENT 'Which dialect table read the span',
    version UInt64 COMMENT 'Settle run' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (project, toStartOfHour(started_at), trace_id, span_id)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

-- Lookups in the application's own caches, hits and misses: one row per span with outlay.cache.kind.
-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS lookups
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace' CODEC(ZSTD(1)),
    span_id String COMMENT 'Span of the lookup' CODEC(ZSTD(1)),
    started_at DateTime64(9, 'UTC') COMMENT 'Start of the lookup' CODEC(Delta(8), ZSTD(1)),
    duration_ns UInt64 COMMENT 'Duration' CODEC(T64, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'exact or semantic',
    hit Bool COMMENT 'Whether it hit',
    similarity Nullable(Float64) COMMENT 'Similarity of a semantic lookup' CODEC(ZSTD(1)),
    avoided_usd Nullable(Decimal(38, 12)) COMMENT 'Cost a hit avoided, NULL when unknown' CODEC(ZSTD(1)),
    service LowCardinality(String) COMMENT 'As in calls',
    environment LowCardinality(String) COMMENT 'As in calls',
    feature LowCardinality(String) COMMENT 'As in calls',
    team LowCardinality(String) COMMENT 'As in calls',
    customer LowCardinality(String) COMMENT 'As in calls',
    user String COMMENT 'As in calls' CODEC(ZSTD(1)),
    session String COMMENT 'As in calls' CODEC(ZSTD(1)),
    task LowCardinality(String) COMMENT 'As in calls',
    prompt LowCardinality(String) COMMENT 'As in calls',
    prompt_version LowCardinality(String) COMMENT 'As in calls',
    provider LowCardinality(String) COMMENT 'As in calls: of the call avoided or made',
    model LowCardinality(String) COMMENT 'As in calls: of the call avoided or made',
    tags Map(LowCardinality(String), String) COMMENT 'As in calls' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Settle run' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (project, toStartOfHour(started_at), trace_id, span_id)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

-- Which spans speak of which response of a provider: joins two spans of one request across traces. A row per hour that
-- a span lies in: spans of one request overlap, so a look-up reads their hours only, whatever else is stored.
-- shard: key
CREATE TABLE IF NOT EXISTS response_ids
(
    hour DateTime('UTC') COMMENT 'Start of an hour that the span lies in, the first 72 of a longer one',
    key UInt64 COMMENT 'Hash of project and the provider''s id of the response, or of what stands in for one and the minute' CODEC(ZSTD(1)),
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace' CODEC(ZSTD(1)),
    span_id String COMMENT 'Span' CODEC(ZSTD(1)),
    started_at DateTime64(9, 'UTC') COMMENT 'Start of the span' CODEC(Delta(8), ZSTD(1)),
    ended_at DateTime64(9, 'UTC') COMMENT 'End of the span' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'Settle run' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (hour, key, trace_id, span_id)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 1024, $durable;

-- Hours whose calls changed since they were rolled up. Written before the calls, so that a crash leaves the hour dirty.
CREATE TABLE IF NOT EXISTS dirty_hours
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour',
    changed_at DateTime64(3, 'UTC') COMMENT 'When a settle run last touched it'
)
ENGINE = ReplacingMergeTree(changed_at)
ORDER BY (project, hour)
SETTINGS $durable;
