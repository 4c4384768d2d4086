-- Latency by the day, as `latency_hourly` by the hour. A day that was rolled up before this table was made has no rows
-- here, and is answered from its hours.
CREATE TABLE IF NOT EXISTS latency_daily
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the day' CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String) COMMENT 'As in calls',
    environment LowCardinality(String) COMMENT 'As in calls',
    feature LowCardinality(String) COMMENT 'As in calls',
    team LowCardinality(String) COMMENT 'As in calls',
    provider LowCardinality(String) COMMENT 'As in calls',
    model LowCardinality(String) COMMENT 'As in calls',
    operation LowCardinality(String) COMMENT 'As in calls',
    cascade LowCardinality(String) COMMENT 'As in spend_hourly',
    cascade_tier Int16 COMMENT 'As in spend_hourly',
    repeated Bool COMMENT 'As in spend_hourly',
    cost_state LowCardinality(String) COMMENT 'As in calls',
    status LowCardinality(String) COMMENT 'As in calls',
    buckets Array(UInt16) COMMENT 'As in latency_hourly' CODEC(ZSTD(1)),
    counts Array(UInt64) COMMENT 'As in latency_hourly' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, feature, model, service, environment, team, provider, operation, cascade, cascade_tier, repeated, cost_state, status)
SETTINGS non_replicated_deduplication_window = 1000, $durable;
