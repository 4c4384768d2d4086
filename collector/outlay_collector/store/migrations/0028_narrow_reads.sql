-- What questions read less of: look-ups by the hour, runs of cascades by the day and range of confidence, and hours of
-- latency in small granules, of which a question about days in another zone reads a few per day. All hours are rolled up
-- anew; until an hour is, it is answered from its calls.

-- Look-ups in the application's own caches, by the hour.
-- shard: cell
CREATE TABLE IF NOT EXISTS lookup_hourly
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    kind LowCardinality(String) COMMENT 'As in lookups',
    service LowCardinality(String) COMMENT 'As in lookups',
    environment LowCardinality(String) COMMENT 'As in lookups',
    feature LowCardinality(String) COMMENT 'As in lookups',
    team LowCardinality(String) COMMENT 'As in lookups',
    provider LowCardinality(String) COMMENT 'As in lookups',
    model LowCardinality(String) COMMENT 'As in lookups',
    lookups UInt64 COMMENT 'Look-ups' CODEC(T64, ZSTD(1)),
    hits UInt64 COMMENT 'Of them hits' CODEC(T64, ZSTD(1)),
    known_hits UInt64 COMMENT 'Hits of which it is known what they avoided' CODEC(T64, ZSTD(1)),
    avoided_usd Decimal(38, 12) COMMENT 'What these avoided' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, kind, service, environment, feature, team, provider, model)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

-- Whole days of the lists in `cascade_confidences`, parted where a grid of twenty steps from 0 to 1 parts them: thresholds on
-- the grid read the sums, another one also the list that it parts.
-- shard: cell
CREATE TABLE IF NOT EXISTS cascade_confidence_days
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the UTC day' CODEC(Delta(4), ZSTD(1)),
    cascade LowCardinality(String) COMMENT 'As in cascade_confidences',
    service LowCardinality(String) COMMENT 'As in cascade_confidences',
    environment LowCardinality(String) COMMENT 'As in cascade_confidences',
    feature LowCardinality(String) COMMENT 'As in cascade_confidences',
    team LowCardinality(String) COMMENT 'As in cascade_confidences',
    differs UInt8 COMMENT 'As in cascade_confidences',
    narrowed UInt8 COMMENT 'As in cascade_confidences',
    steps UInt8 COMMENT 'How many steps of the grid the confidences reach: 0 below 0, 21 from 1 on',
    least Float64 COMMENT 'The lowest of them' CODEC(ZSTD(1)),
    runs UInt64 COMMENT 'Runs' CODEC(T64, ZSTD(1)),
    priced_runs UInt64 COMMENT 'Of them with a priced first attempt' CODEC(T64, ZSTD(1)),
    first_usd Decimal(38, 12) COMMENT 'What first attempts cost' CODEC(ZSTD(1)),
    priced_escalations UInt64 COMMENT 'Of the runs with a priced further attempt' CODEC(T64, ZSTD(1)),
    rest_usd Decimal(38, 12) COMMENT 'What further attempts cost' CODEC(ZSTD(1)),
    lists Array(Tuple(confidence Float64, runs UInt64, priced_runs UInt64, first_usd Decimal(38, 12), priced_escalations UInt64, rest_usd Decimal(38, 12))) COMMENT 'The same by confidence' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, cascade, steps, hour, service, environment, feature, team, differs, narrowed)
SETTINGS index_granularity = 128, non_replicated_deduplication_window = 1000, $durable;

-- In place of `latency_hourly`, whose granules are too large to read a few hours of a day.
-- A histogram: bucket = floor(log2(max(duration in microseconds, 1)) * 16), relative error about 2 %.
-- shard: cell
CREATE TABLE IF NOT EXISTS latency_hours
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
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 1000, $durable;

TRUNCATE TABLE latency_hourly;

TRUNCATE TABLE rolled_hours;
