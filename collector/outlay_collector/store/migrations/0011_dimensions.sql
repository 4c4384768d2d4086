-- Days by one dimension that spend_hourly lacks (user, session, a tag …): rebuilt from `calls`, never incremented, once a
-- day is over and has gone quiet. `dimension_days` says which days may be answered from here, and for which questions.

CREATE TABLE IF NOT EXISTS dimension_days
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the UTC day',
    dimension String COMMENT 'Its name in the interface; empty for the day itself, written last',
    grain LowCardinality(String) COMMENT 'full: by the keys of spend_daily too; alone: by its values only; none: too many; of the day itself none: tags without a row may occur, small: too few calls to be kept',
    rolled_at DateTime64(3, 'UTC') COMMENT 'When its rebuild began',
    version UInt64 COMMENT 'Rebuild; a row of another one than the day''s is not believed' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (project, hour, dimension)
SETTINGS $durable;

CREATE TABLE IF NOT EXISTS dimension_daily
(
    project LowCardinality(String) COMMENT 'Project',
    dimension LowCardinality(String) COMMENT 'Name in the interface: user, tag.plan …',
    hour DateTime('UTC') COMMENT 'Start of the UTC day' CODEC(Delta(4), ZSTD(1)),
    value String COMMENT 'Of the dimension, empty when unknown' CODEC(ZSTD(1)),
    service LowCardinality(String) COMMENT 'As in spend_daily; this and the next keys but cost_state are empty where the grain is alone',
    environment LowCardinality(String) COMMENT 'As in spend_daily',
    feature LowCardinality(String) COMMENT 'As in spend_daily',
    team LowCardinality(String) COMMENT 'As in spend_daily',
    provider LowCardinality(String) COMMENT 'As in spend_daily',
    model LowCardinality(String) COMMENT 'As in spend_daily',
    operation LowCardinality(String) COMMENT 'As in spend_daily',
    cascade LowCardinality(String) COMMENT 'As in spend_daily',
    cascade_tier Int16 COMMENT 'As in spend_daily',
    repeated Bool COMMENT 'As in spend_daily',
    cost_state LowCardinality(String) COMMENT 'As in spend_daily',
    status LowCardinality(String) COMMENT 'As in spend_daily',
    calls UInt64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    errors UInt64 COMMENT 'Calls with status error' CODEC(T64, ZSTD(1)),
    priced_calls UInt64 COMMENT 'Calls whose cost is known' CODEC(T64, ZSTD(1)),
    input_tokens UInt64 COMMENT 'Sum over calls that say it' CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt64 COMMENT 'Sum' CODEC(T64, ZSTD(1)),
    cache_write_tokens UInt64 COMMENT 'Sum' CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt64 COMMENT 'Sum' CODEC(T64, ZSTD(1)),
    output_tokens UInt64 COMMENT 'Sum' CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 COMMENT 'Sum' CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 12) COMMENT 'Sum over priced calls' CODEC(ZSTD(1)),
    list_cost_usd Decimal(38, 12) COMMENT 'Sum over priced calls' CODEC(ZSTD(1)),
    uncached_cost_usd Decimal(38, 12) COMMENT 'Sum over priced calls' CODEC(ZSTD(1)),
    line_input_usd Decimal(38, 12) COMMENT 'As in spend_daily' CODEC(ZSTD(1)),
    line_cache_read_usd Decimal(38, 12) COMMENT 'As in spend_daily' CODEC(ZSTD(1)),
    line_cache_write_usd Decimal(38, 12) COMMENT 'As in spend_daily' CODEC(ZSTD(1)),
    line_cache_write_1h_usd Decimal(38, 12) COMMENT 'As in spend_daily' CODEC(ZSTD(1)),
    line_output_usd Decimal(38, 12) COMMENT 'As in spend_daily' CODEC(ZSTD(1)),
    line_other_usd Decimal(38, 12) COMMENT 'As in spend_daily' CODEC(ZSTD(1)),
    buckets Array(UInt16) COMMENT 'As in latency_hourly' CODEC(ZSTD(1)),
    counts Array(UInt64) COMMENT 'As in latency_hourly' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, dimension, hour, value, feature, model, service, environment, team, provider, operation, cascade, cascade_tier, repeated, cost_state, status)
SETTINGS non_replicated_deduplication_window = 1000, $durable;
