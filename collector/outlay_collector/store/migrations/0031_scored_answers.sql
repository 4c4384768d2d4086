-- What questions about scores read in place of calls: the answers that were scored, each with its score. All hours are
-- rolled up anew; until an hour is, its answers are found among its calls.

-- Scored answers: one row per score and what it is about, at the hour of the call that gave the answer, with what questions
-- ask of that call. Rebuilt with the hours of its trace.
-- shard: cell
CREATE TABLE IF NOT EXISTS scored_answers
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Hour in which the answer began' CODEC(Delta(4), ZSTD(1)),
    name LowCardinality(String) COMMENT 'As in scores',
    trace UInt64 COMMENT 'Hash of the trace' CODEC(ZSTD(1)),
    about UInt64 COMMENT 'Hash of the span that was scored, that of the empty text for a whole trace' CODEC(ZSTD(1)),
    value Nullable(Float64) COMMENT 'As in scores, where it is finite and within a quadrillion' CODEC(ZSTD(1)),
    label String COMMENT 'As in scores' CODEC(ZSTD(1)),
    cost_usd Nullable(Decimal(38, 12)) COMMENT 'What was paid for it: the call, all attempts of its cascade''s run, or all calls of the trace; NULL where one of them is unknown' CODEC(ZSTD(1)),
    paid_for UInt128 COMMENT 'Hash of what that is the cost of' CODEC(ZSTD(1)),
    paid_part String COMMENT 'The same as text: a cascade''s run or a call of the trace, empty for all of it' CODEC(ZSTD(1)),
    paid_calls UInt32 COMMENT 'How many calls these are' CODEC(T64, ZSTD(1)),
    alone Bool COMMENT 'Whether no other score of this name is about an answer that this was paid for' CODEC(ZSTD(1)),
    trace_id String COMMENT 'As in calls, of the answer' CODEC(ZSTD(1)),
    span_id String COMMENT 'As in calls' CODEC(ZSTD(1)),
    n UInt16 COMMENT 'As in calls' CODEC(ZSTD(1)),
    call_id String ALIAS concat(trace_id, ':', span_id, ':', toString(n)) COMMENT 'trace:span:n',
    parent_span_id String COMMENT 'As in calls' CODEC(ZSTD(1)),
    started_at DateTime64(9, 'UTC') COMMENT 'As in calls' CODEC(Delta(8), ZSTD(1)),
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
    provider LowCardinality(String) COMMENT 'As in calls',
    request_model LowCardinality(String) COMMENT 'As in calls',
    model LowCardinality(String) COMMENT 'As in calls',
    response_id String COMMENT 'As in calls' CODEC(ZSTD(1)),
    service_tier LowCardinality(String) COMMENT 'As in calls',
    operation LowCardinality(String) COMMENT 'As in calls',
    cost_state LowCardinality(String) COMMENT 'As in calls',
    status LowCardinality(String) COMMENT 'As in calls',
    dialect LowCardinality(String) COMMENT 'As in calls',
    tags Map(LowCardinality(String), String) COMMENT 'As in calls' CODEC(ZSTD(1)),
    cascade_name LowCardinality(String) COMMENT 'As in calls',
    cascade_tier Nullable(UInt8) COMMENT 'As in calls' CODEC(ZSTD(1)),
    cache_kind LowCardinality(String) COMMENT 'As in calls',
    cache_hit Nullable(Bool) COMMENT 'As in calls' CODEC(ZSTD(1)),
    cache_similarity Nullable(Float64) COMMENT 'As in calls' CODEC(ZSTD(1)),
    experiment LowCardinality(String) COMMENT 'As in calls',
    arm LowCardinality(String) COMMENT 'As in calls',
    route_tier LowCardinality(String) COMMENT 'As in calls',
    route_reason LowCardinality(String) COMMENT 'As in calls',
    route_propensity Nullable(Float64) COMMENT 'As in calls' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, name, trace, about)
SETTINGS min_bytes_for_wide_part = 134217728, non_replicated_deduplication_window = 1000, $durable;

TRUNCATE TABLE rolled_hours;
