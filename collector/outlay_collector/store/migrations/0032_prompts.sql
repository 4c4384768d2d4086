-- What questions about prompts read in place of calls. All hours are rolled up anew.

-- Calls that name a prompt, by the hour; answers of the application's own cache are none of them.
-- shard: cell
CREATE TABLE IF NOT EXISTS prompt_hourly
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    prompt LowCardinality(String) COMMENT 'As in calls',
    prompt_version LowCardinality(String) COMMENT 'As in calls',
    provider LowCardinality(String) COMMENT 'As in calls',
    model LowCardinality(String) COMMENT 'As in calls',
    operation LowCardinality(String) COMMENT 'As in calls',
    service LowCardinality(String) COMMENT 'As in calls',
    environment LowCardinality(String) COMMENT 'As in calls',
    feature LowCardinality(String) COMMENT 'As in calls',
    team LowCardinality(String) COMMENT 'As in calls',
    calls UInt64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    priced_calls UInt64 COMMENT 'Of them priced' CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 12) COMMENT 'What these cost' CODEC(ZSTD(1)),
    used_calls UInt64 COMMENT 'Calls whose input is known' CODEC(T64, ZSTD(1)),
    input_tokens UInt64 COMMENT 'Their input' CODEC(T64, ZSTD(1)),
    read_tokens UInt64 COMMENT 'Input that was read from the provider''s cache' CODEC(T64, ZSTD(1)),
    answered_calls UInt64 COMMENT 'Calls whose output is known' CODEC(T64, ZSTD(1)),
    output_tokens UInt64 COMMENT 'Their output' CODEC(T64, ZSTD(1)),
    parted_calls UInt64 COMMENT 'Calls that say the parts of their prompt' CODEC(T64, ZSTD(1)),
    parted_priced_calls UInt64 COMMENT 'Of them priced' CODEC(T64, ZSTD(1)),
    parted_input_tokens UInt64 COMMENT 'Input of the calls that say their parts' CODEC(T64, ZSTD(1)),
    parted_input_usd Decimal(38, 12) COMMENT 'What it cost' CODEC(ZSTD(1)),
    parts Array(LowCardinality(String)) COMMENT 'Names of the parts' CODEC(ZSTD(1)),
    parts_tokens Array(UInt64) COMMENT 'Tokens of each' CODEC(ZSTD(1)),
    paid_calls UInt64 COMMENT 'Calls that cost something, whose input is known' CODEC(T64, ZSTD(1)),
    paid_hits UInt64 COMMENT 'Of them those that read from the provider''s cache' CODEC(T64, ZSTD(1)),
    paid_input_tokens UInt64 COMMENT 'Their input' CODEC(T64, ZSTD(1)),
    paid_read_tokens UInt64 COMMENT 'Of it read from the provider''s cache' CODEC(T64, ZSTD(1)),
    paid_plain_tokens UInt64 COMMENT 'Of it neither read nor written' CODEC(T64, ZSTD(1)),
    paid_read_usd Decimal(38, 12) COMMENT 'What was read cost' CODEC(ZSTD(1)),
    paid_plain_usd Decimal(38, 12) COMMENT 'What was neither read nor written cost' CODEC(ZSTD(1)),
    first_at DateTime64(9, 'UTC') COMMENT 'Start of the first call' CODEC(Delta(8), ZSTD(1)),
    last_at DateTime64(9, 'UTC') COMMENT 'Start of the last call' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, prompt, prompt_version, provider, model, operation, service, environment, feature, team)
SETTINGS min_bytes_for_wide_part = 134217728, non_replicated_deduplication_window = 1000, $durable;

TRUNCATE TABLE rolled_hours;
