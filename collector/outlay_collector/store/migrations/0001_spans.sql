-- Spans as they came, and what the load stage keeps beside them. Filled by the views over `otlp_in` (see otlp.py).

-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS spans
(
    project LowCardinality(String) COMMENT 'From the ingest key, never from the body',
    trace_id String COMMENT 'Lower-case hex, 32 digits' CODEC(ZSTD(1)),
    span_id String COMMENT 'Lower-case hex, 16 digits' CODEC(ZSTD(1)),
    parent_span_id String COMMENT 'Lower-case hex, or empty at a root' CODEC(ZSTD(1)),
    started_at DateTime64(9, 'UTC') COMMENT 'Start, as sent' CODEC(Delta(8), ZSTD(1)),
    duration_ns UInt64 COMMENT 'End minus start, 0 when the end was before the start' CODEC(T64, ZSTD(1)),
    name String COMMENT 'Span name' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'unspecified, internal, server, client, producer, consumer',
    status LowCardinality(String) COMMENT 'unset, ok, error',
    status_message String COMMENT 'Status description' CODEC(ZSTD(1)),
    service LowCardinality(String) COMMENT 'Resource service.name',
    service_version LowCardinality(String) COMMENT 'Resource service.version',
    environment LowCardinality(String) COMMENT 'Resource deployment.environment.name, or its older spelling',
    scope_name LowCardinality(String) COMMENT 'Instrumentation scope',
    scope_version LowCardinality(String) COMMENT 'Version of the instrumentation scope',
    resource_attributes Map(LowCardinality(String), String) COMMENT 'All resource attributes, values as text' CODEC(ZSTD(1)),
    -- LZ4: settle reads all of it, and unpacks it three times as fast.
    attributes Map(LowCardinality(String), String) COMMENT 'Span attributes except content, values as text' CODEC(LZ4),
    texts Map(LowCardinality(String), String) COMMENT 'Content attributes: prompts, answers, documents' CODEC(ZSTD(1)),
    events Array(Tuple(at DateTime64(9, 'UTC'), name String, attributes Map(String, String))) COMMENT 'Span events' CODEC(ZSTD(3)),
    links Array(Tuple(trace_id String, span_id String)) COMMENT 'Span links' CODEC(ZSTD(1)),
    flags Array(LowCardinality(String)) COMMENT 'What was made safe at load, for example truncated_value' CODEC(ZSTD(1)),
    body_id String COMMENT 'Spool record the span came in' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When the body was accepted' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'Grows with how complete the span is, then by hash: the same winner in any order of arrival' CODEC(ZSTD(1)),
    prompt_key String ALIAS arrayFirst(k -> has(mapKeys(texts), k), ['gen_ai.input.messages', 'ai.prompt.messages', 'langfuse.observation.input', 'mlflow.spanInputs', 'input.value', 'gen_ai.prompt', 'ai.prompt', 'traceloop.entity.input']) COMMENT 'Which of the texts is the whole prompt, empty when it is in parts',
    prompt String ALIAS concat(texts['gen_ai.system_instructions'], if(prompt_key != '', texts[prompt_key], arrayStringConcat(arraySort(arrayMap((k, v) -> concat(k, '=', v), arrayFilter(k -> startsWith(k, 'gen_ai.prompt.') OR startsWith(k, 'llm.input_messages.'), mapKeys(texts)), arrayFilter((v, k) -> startsWith(k, 'gen_ai.prompt.') OR startsWith(k, 'llm.input_messages.'), mapValues(texts), mapKeys(texts)))), '\n'))) COMMENT 'System instructions and prompt as one text',
    prompt_hash UInt64 MATERIALIZED if(prompt = '', 0, cityHash64(prompt)) COMMENT 'Hash of the prompt, 0 when it was not captured: so that settle need not read texts' CODEC(ZSTD(1)),
    prefix_hash UInt64 MATERIALIZED if(length(prompt) < 4096, 0, cityHash64(substring(prompt, 1, 4096))) COMMENT 'Hash of its first 4,096 bytes, 0 when it is shorter' CODEC(ZSTD(1)),
    INDEX trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (project, toStartOfHour(started_at), trace_id, span_id)
SETTINGS non_replicated_deduplication_window = 10000, $durable;

-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS trace_hours
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace' CODEC(ZSTD(1)),
    first_hour SimpleAggregateFunction(min, DateTime('UTC')) COMMENT 'Hour of its earliest span',
    last_hour SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'Hour of its latest span',
    spans SimpleAggregateFunction(sum, UInt64) COMMENT 'Spans it has, those sent again included'
)
ENGINE = AggregatingMergeTree()
ORDER BY (project, trace_id)
SETTINGS non_replicated_deduplication_window = 10000, $durable;

-- What changed, in the order it was loaded: settle reads on from `settle_progress` per loader. Written by the loader
-- after the spans themselves, so that whoever reads a mark finds what it stands for.
-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS dirty_traces
(
    loader LowCardinality(String) COMMENT 'Who loaded it: one writer of growing seq',
    seq UInt64 COMMENT 'Grows with each batch of the loader',
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace with new spans or scores' CODEC(ZSTD(1)),
    spans UInt64 COMMENT 'New spans of the trace in the batch',
    received_from DateTime64(3, 'UTC') COMMENT 'The batch holds nothing that was received earlier',
    dirtied_at DateTime('UTC') DEFAULT now() COMMENT 'For the TTL only'
)
ENGINE = MergeTree
ORDER BY (loader, seq)
TTL dirtied_at + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, $durable;

CREATE TABLE IF NOT EXISTS settle_progress
(
    loader LowCardinality(String) COMMENT 'As in dirty_traces',
    seq UInt64 COMMENT 'Everything up to here is settled'
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY loader
SETTINGS $durable;

-- What became of everything received: one row per collector, cumulative, replaced with each loaded segment; see status.py.
CREATE TABLE IF NOT EXISTS ledger
(
    collector LowCardinality(String) COMMENT 'Spool that wrote it',
    segment UInt64 COMMENT 'Last segment of the spool that is in these figures',
    segment_hash String COMMENT 'Hash of the records of that segment',
    received UInt64 COMMENT 'Spans in acknowledged bodies, rejected ones included',
    stored UInt64 COMMENT 'New spans',
    rejected UInt64 COMMENT 'Spans refused one by one',
    quarantined UInt64 COMMENT 'Spans of bodies set aside because ClickHouse could not take them',
    duplicate UInt64 COMMENT 'Spans that were there already',
    logs_received UInt64 COMMENT 'Log records in acknowledged bodies',
    logs_stored UInt64 COMMENT 'Log records kept',
    logs_rejected UInt64 COMMENT 'Log records that are not GenAI events',
    logs_quarantined UInt64 COMMENT 'Log records of bodies set aside',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
)
ENGINE = ReplacingMergeTree(segment)
ORDER BY collector
SETTINGS non_replicated_deduplication_window = 10000, $durable;

-- Log records and events that carry GenAI content or evaluations.
-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS events
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace of the record, may be empty' CODEC(ZSTD(1)),
    span_id String COMMENT 'Span of the record, may be empty' CODEC(ZSTD(1)),
    at DateTime64(9, 'UTC') COMMENT 'Time of the record' CODEC(Delta(8), ZSTD(1)),
    name LowCardinality(String) COMMENT 'Event name',
    attributes Map(LowCardinality(String), String) COMMENT 'Attributes and body fields, values as text' CODEC(ZSTD(3)),
    hash UInt64 COMMENT 'Of the attributes: two events of one name and moment are two' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When the body was accepted'
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(at)
ORDER BY (project, trace_id, span_id, name, at, hash)
SETTINGS non_replicated_deduplication_window = 10000, $durable;

-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS scores
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace the score is about' CODEC(ZSTD(1)),
    span_id String COMMENT 'Span it is about, or empty for the whole trace' CODEC(ZSTD(1)),
    name LowCardinality(String) COMMENT 'gen_ai.evaluation.name',
    value Nullable(Float64) COMMENT 'gen_ai.evaluation.score.value',
    label String COMMENT 'gen_ai.evaluation.score.label',
    at DateTime64(9, 'UTC') COMMENT 'When it was given' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (project, trace_id, span_id, name)
SETTINGS non_replicated_deduplication_window = 10000, $durable;
