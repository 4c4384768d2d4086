-- Cascades by what most questions filter by. A run whose calls do not all say the same is kept in parts, as one that has
-- them in several hours. All hours are rolled up anew; until an hour is, it is answered from its calls.

ALTER TABLE cascade_hourly
    ADD COLUMN IF NOT EXISTS service LowCardinality(String) COMMENT 'As in calls: of all calls of the runs' AFTER rate_of,
    ADD COLUMN IF NOT EXISTS environment LowCardinality(String) COMMENT 'As in calls' AFTER service,
    ADD COLUMN IF NOT EXISTS feature LowCardinality(String) COMMENT 'As in calls' AFTER environment,
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) COMMENT 'As in calls' AFTER feature,
    MODIFY ORDER BY (project, hour, cascade, run_tier, tier, model, service, environment, feature, team);

ALTER TABLE cascade_parts
    ADD COLUMN IF NOT EXISTS service LowCardinality(String) COMMENT 'As in calls' AFTER rate_of,
    ADD COLUMN IF NOT EXISTS environment LowCardinality(String) COMMENT 'As in calls' AFTER service,
    ADD COLUMN IF NOT EXISTS feature LowCardinality(String) COMMENT 'As in calls' AFTER environment,
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) COMMENT 'As in calls' AFTER feature,
    MODIFY ORDER BY (project, hour, cascade, run, tier, said, confidence, service, environment, feature, team);

-- How runs of cascades went by the confidence of their first attempt, for thresholds. Every cascade with calls in an hour
-- has a row; its lists of runs are of those that lie within the hour and have a confidence.
CREATE TABLE IF NOT EXISTS cascade_confidences
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    cascade LowCardinality(String) COMMENT 'cascade_name of calls',
    service LowCardinality(String) COMMENT 'As in calls',
    environment LowCardinality(String) COMMENT 'As in calls',
    feature LowCardinality(String) COMMENT 'As in calls',
    team LowCardinality(String) COMMENT 'As in calls',
    calls UInt64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    seen Array(Float64) COMMENT 'Confidences of attempts at tier 0, up to 31 of them' CODEC(ZSTD(1)),
    lowest Nullable(Float64) COMMENT 'The lowest confidence of an attempt at tier 0' CODEC(ZSTD(1)),
    highest Nullable(Float64) COMMENT 'The highest' CODEC(ZSTD(1)),
    thresholds Array(Float64) COMMENT 'Thresholds that calls at tier 0 reported beside a confidence, up to 20' CODEC(ZSTD(1)),
    confidences Array(Float64) COMMENT 'Confidences of first attempts' CODEC(ZSTD(1)),
    runs Array(UInt64) COMMENT 'Runs with each of them' CODEC(ZSTD(1)),
    priced_runs Array(UInt64) COMMENT 'Of them with a priced first attempt' CODEC(ZSTD(1)),
    first_usd Array(Decimal(38, 12)) COMMENT 'What first attempts cost' CODEC(ZSTD(1)),
    priced_escalations Array(UInt64) COMMENT 'Of the runs with a priced further attempt' CODEC(ZSTD(1)),
    rest_usd Array(Decimal(38, 12)) COMMENT 'What further attempts cost' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, cascade, service, environment, feature, team)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

TRUNCATE TABLE cascade_hourly;

TRUNCATE TABLE cascade_parts;

TRUNCATE TABLE rolled_hours;
