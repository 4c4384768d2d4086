-- Cascades as they are shown: rebuilt with the other rollups, per touched hour, from the calls of that hour alone. A run
-- may have calls in several hours: one that has them in a single hour is summed up there, the attempts of others are kept
-- as they are in each hour, and put together by who asks.

-- Which hours a run has calls in. Only added to: a run that left an hour again is merely put together needlessly.
CREATE TABLE IF NOT EXISTS cascade_runs
(
    project LowCardinality(String) COMMENT 'Project',
    run FixedString(16) COMMENT 'Hash of cascade and run',
    hour DateTime('UTC') COMMENT 'Start of an hour with calls of the run' CODEC(Delta(4), ZSTD(1)),
    spread UInt8 COMMENT '1 = known to have calls in other hours too; never taken back'
)
ENGINE = ReplacingMergeTree(spread)
ORDER BY (project, run, hour)
-- Look-ups are by some thousand hashes, spread over the whole table.
SETTINGS index_granularity = 256, $durable;

-- Runs whose calls lie in one hour: sums over their attempts.
CREATE TABLE IF NOT EXISTS cascade_hourly
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    cascade LowCardinality(String) COMMENT 'cascade_name of calls',
    run_tier UInt16 COMMENT 'Highest tier of the run',
    tier UInt16 COMMENT 'Tier of the attempt',
    model LowCardinality(String) COMMENT 'Model of the attempt''s first call',
    attempts UInt64 COMMENT 'Attempts' CODEC(T64, ZSTD(1)),
    accepted_attempts UInt64 COMMENT 'Of them accepted' CODEC(T64, ZSTD(1)),
    priced_attempts UInt64 COMMENT 'Of them with a priced call' CODEC(T64, ZSTD(1)),
    usd Decimal(38, 12) COMMENT 'Cost of priced calls' CODEC(ZSTD(1)),
    wasted_usd Decimal(38, 12) COMMENT 'Of attempts that were not accepted' CODEC(ZSTD(1)),
    durations_ns Array(UInt64) COMMENT 'Of every attempt: percentiles stay exact' CODEC(ZSTD(1)),
    all_calls UInt64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    all_priced UInt64 COMMENT 'Priced calls' CODEC(T64, ZSTD(1)),
    runs UInt64 COMMENT 'Runs whose first attempt this is' CODEC(T64, ZSTD(1)),
    accepted_runs UInt64 COMMENT 'Of them with an accepted attempt' CODEC(T64, ZSTD(1)),
    priced_runs UInt64 COMMENT 'Of them with every call priced' CODEC(T64, ZSTD(1)),
    counted_runs UInt64 COMMENT 'Of these, those that know the tokens of their first attempt' CODEC(T64, ZSTD(1)),
    priced_runs_usd Decimal(38, 12) COMMENT 'Cost within priced runs' CODEC(ZSTD(1)),
    last_usd Decimal(38, 12) COMMENT 'Of it, at the run''s highest tier' CODEC(ZSTD(1)),
    counted_runs_usd Decimal(38, 12) COMMENT 'Cost within counted runs' CODEC(ZSTD(1)),
    first_tokens Array(UInt64) COMMENT 'Of first attempts of priced runs: input, cache_read, cache_write, cache_write_1h, output' CODEC(ZSTD(1)),
    rate_tokens Array(UInt64) COMMENT 'The same parts, of priced calls' CODEC(ZSTD(1)),
    rate_usd Array(Decimal(38, 12)) COMMENT 'What those cost' CODEC(ZSTD(1)),
    rate_at DateTime64(9, 'UTC') COMMENT 'Start of the newest call whose price is known to be listed' CODEC(ZSTD(1)),
    rate_of Tuple(version String, model String) COMMENT 'Its price_version and matched_model' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild; the newest row of a key wins' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, cascade, run_tier, tier, model)
SETTINGS non_replicated_deduplication_window = 1000, $durable;

-- Runs with calls in several hours: what each hour holds of their attempts.
CREATE TABLE IF NOT EXISTS cascade_parts
(
    project LowCardinality(String) COMMENT 'Project',
    hour DateTime('UTC') COMMENT 'Start of the hour' CODEC(Delta(4), ZSTD(1)),
    cascade LowCardinality(String) COMMENT 'cascade_name of calls',
    run FixedString(16) COMMENT 'Hash of cascade and run',
    tier UInt16 COMMENT 'Tier of the attempt',
    said LowCardinality(String) COMMENT 'cascade_outcome of calls',
    confidence Nullable(Float64) COMMENT 'cascade_confidence of calls' CODEC(ZSTD(1)),
    first_model LowCardinality(String) COMMENT 'Model of the first call',
    started_at DateTime64(9, 'UTC') COMMENT 'Start of the first call' CODEC(ZSTD(1)),
    last_at DateTime64(9, 'UTC') COMMENT 'Start of the last call' CODEC(ZSTD(1)),
    ended_ns Int64 COMMENT 'Latest end of a call' CODEC(ZSTD(1)),
    failed UInt8 COMMENT 'Whether the last call failed',
    calls UInt64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    priced_calls UInt64 COMMENT 'Calls whose cost is known' CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 12) COMMENT 'Their cost' CODEC(ZSTD(1)),
    counted UInt8 COMMENT 'Whether a call knows its tokens',
    tokens Array(UInt64) COMMENT 'input, cache_read, cache_write, cache_write_1h, output' CODEC(ZSTD(1)),
    rate_tokens Array(UInt64) COMMENT 'The same, of priced calls' CODEC(ZSTD(1)),
    rate_usd Array(Decimal(38, 12)) COMMENT 'What those cost' CODEC(ZSTD(1)),
    rate_at DateTime64(9, 'UTC') COMMENT 'As in cascade_hourly' CODEC(ZSTD(1)),
    rate_of Tuple(version String, model String) COMMENT 'As in cascade_hourly' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Rebuild' CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8 COMMENT '1 = tombstone' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, cascade, run, tier, said, confidence)
SETTINGS allow_nullable_key = 1, non_replicated_deduplication_window = 1000, $durable;

-- Every hour is rolled up again, now with its cascades; until then it is answered from `calls`.
TRUNCATE TABLE rolled_hours;
