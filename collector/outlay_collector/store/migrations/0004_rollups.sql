-- Hours and days as they are shown: rebuilt from `calls`, never incremented. `rolled_hours` says which hours may be
-- answered from here: those rolled up after their last change.

CREATE TABLE IF NOT EXISTS rolled_hours
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour',
    rolled_at DateTime64(3, 'UTC') COMMENT 'When its rebuild began'
)
ENGINE = ReplacingMergeTree(rolled_at)
ORDER BY (project, hour)
SETTINGS $durable;

CREATE TABLE IF NOT EXISTS spend_hourly
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String) COMMENT 'As in calls',
    environment LowCardinality(String) COMMENT 'As in calls',
    feature LowCardinality(String) COMMENT 'As in calls',
    team LowCardinality(String) COMMENT 'As in calls',
    provider LowCardinality(String) COMMENT 'As in calls',
    model LowCardinality(String) COMMENT 'As in calls',
    operation LowCardinality(String) COMMENT 'As in calls',
    cascade LowCardinality(String) COMMENT 'cascade_name of calls',
    cascade_tier Int16 COMMENT 'cascade_tier of calls, -1 when not in a cascade',
    repeated Bool COMMENT 'attempt > 1: a billed repeat of a request',
    cost_state LowCardinality(String) COMMENT 'As in calls',
    status LowCardinality(String) COMMENT 'As in calls',
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
    line_input_usd Decimal(38, 12) COMMENT 'Sum of cost_lines[input]' CODEC(ZSTD(1)),
    line_cache_read_usd Decimal(38, 12) COMMENT 'Sum of cost_lines[cache_read]' CODEC(ZSTD(1)),
    line_cache_write_usd Decimal(38, 12) COMMENT 'Sum of cost_lines[cache_write]' CODEC(ZSTD(1)),
    line_cache_write_1h_usd Decimal(38, 12) COMMENT 'Sum of cost_lines[cache_write_1h]' CODEC(ZSTD(1)),
    line_output_usd Decimal(38, 12) COMMENT 'Sum of cost_lines[output]' CODEC(ZSTD(1)),
    line_other_usd Decimal(38, 12) COMMENT 'cost_usd minus the lines above' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone: the key no longer occurs in the hour' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, feature, model, service, environment, team, provider, operation, cascade, cascade_tier, repeated, cost_state, status)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

CREATE TABLE IF NOT EXISTS spend_daily AS spend_hourly
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, feature, model, service, environment, team, provider, operation, cascade, cascade_tier, repeated, cost_state, status)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

-- Latency as a histogram: bucket = floor(log2(max(duration in microseconds, 1)) * 16), relative error about 2 %.
CREATE TABLE IF NOT EXISTS latency_hourly
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
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
    buckets Array(UInt16) COMMENT 'Histogram buckets that occur, ascending' CODEC(ZSTD(1)),
    counts Array(UInt64) COMMENT 'Calls in each bucket' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, feature, model, service, environment, team, provider, operation, cascade, cascade_tier, repeated, cost_state, status)
SETTINGS non_replicated_deduplication_window = 1000, $durable;
