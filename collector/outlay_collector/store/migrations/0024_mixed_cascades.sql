-- Runs whose calls differ in service, environment, feature or team are summed up by the hour, too. All hours are rolled up
-- anew; until an hour is, it is answered from its calls.

ALTER TABLE cascade_hourly
    ADD COLUMN IF NOT EXISTS differs UInt8 COMMENT 'In what calls of the runs differ, added up: 1 service, 2 environment, 4 feature, 8 team; what differs is empty, unless narrowed' AFTER team,
    ADD COLUMN IF NOT EXISTS narrowed UInt8 COMMENT 'Of these, those by whose value calls were chosen: the sums are of the parts of runs with these values' AFTER differs,
    MODIFY ORDER BY (project, hour, cascade, run_tier, tier, model, service, environment, feature, team, differs, narrowed);

ALTER TABLE cascade_confidences
    ADD COLUMN IF NOT EXISTS differs UInt8 COMMENT 'As in cascade_hourly, of the lists of runs' AFTER team,
    ADD COLUMN IF NOT EXISTS narrowed UInt8 COMMENT 'As in cascade_hourly' AFTER differs,
    MODIFY ORDER BY (project, hour, cascade, service, environment, feature, team, differs, narrowed);

ALTER TABLE cascade_parts
    ADD COLUMN IF NOT EXISTS first_order UInt64 COMMENT 'Start of the first call, Unix ns; 2^63 more where all calls only judge' CODEC(ZSTD(1)) AFTER started_at,
    ADD COLUMN IF NOT EXISTS last_order UInt64 COMMENT 'Start of the last call that does not only judge, Unix ns + 2^63; of the last one where all do' CODEC(ZSTD(1)) AFTER first_order,
    DROP COLUMN IF EXISTS last_at;

-- Runs within one hour whose calls differ: what the hour holds of their attempts, for questions that name several values of
-- what they differ in.
-- shard: cell
CREATE TABLE IF NOT EXISTS cascade_mixed
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    cascade LowCardinality(String) COMMENT 'cascade_name of calls',
    run FixedString(16) COMMENT 'Hash of cascade and run',
    tier UInt16 COMMENT 'Tier of the attempt',
    said LowCardinality(String) COMMENT 'cascade_outcome of calls',
    confidence Nullable(Float64) COMMENT 'cascade_confidence of calls' CODEC(ZSTD(1)),
    first_model LowCardinality(String) COMMENT 'As in cascade_parts',
    started_at DateTime64(9, 'UTC') COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    first_order UInt64 COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    last_order UInt64 COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    ended_ns Int64 COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    failed UInt8 COMMENT 'As in cascade_parts',
    forced UInt8 COMMENT 'As in cascade_parts',
    calls UInt64 COMMENT 'As in cascade_parts' CODEC(T64, ZSTD(1)),
    priced_calls UInt64 COMMENT 'As in cascade_parts' CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 12) COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    counted UInt8 COMMENT 'As in cascade_parts',
    tokens Array(UInt64) COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    rate_tokens Array(UInt64) COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    rate_usd Array(Decimal(38, 12)) COMMENT 'As in cascade_parts' CODEC(ZSTD(1)),
    rate_at DateTime64(9, 'UTC') COMMENT 'As in cascade_hourly' CODEC(ZSTD(1)),
    rate_of Tuple(version String, model String) COMMENT 'As in cascade_hourly' CODEC(ZSTD(1)),
    service LowCardinality(String) COMMENT 'As in calls',
    environment LowCardinality(String) COMMENT 'As in calls',
    feature LowCardinality(String) COMMENT 'As in calls',
    team LowCardinality(String) COMMENT 'As in calls',
    differs UInt8 COMMENT 'As in cascade_hourly, of the run',
    version UInt64 COMMENT 'Rebuild' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, cascade, run, tier, said, confidence, service, environment, feature, team)
SETTINGS allow_nullable_key = 1, non_replicated_deduplication_window = 1000, $durable;

TRUNCATE TABLE cascade_runs;

TRUNCATE TABLE cascade_hourly;

TRUNCATE TABLE cascade_parts;

TRUNCATE TABLE cascade_confidences;

TRUNCATE TABLE rolled_hours;
