-- Bills that are pulled from providers: pages as they came, what is in force of each day, and how each pull went.

-- Pages of cost APIs by their hash: the same page again is the same row. Of files only name and hash.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS bill_pages
(
    project LowCardinality(String) COMMENT 'Project',
    account LowCardinality(String) COMMENT 'Name of the account in [[bills]]',
    hash String COMMENT 'SHA-256 of the bytes' CODEC(ZSTD(1)),
    path String COMMENT 'What was asked, or the file' CODEC(ZSTD(1)),
    body String COMMENT 'The page as it came; empty for a file' CODEC(ZSTD(3)),
    pulled_at DateTime64(3, 'UTC') COMMENT 'When it came last'
)
ENGINE = ReplacingMergeTree(pulled_at)
ORDER BY (project, account, hash)
TTL toDateTime(pulled_at) + INTERVAL 400 DAY
SETTINGS $durable;

-- What an account's bill says of a day: one row per day, and all days of a pull in one insert, which is there whole or
-- not at all. A later pull replaces the day.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS bill_days
(
    project LowCardinality(String) COMMENT 'Project whose calls it is compared with',
    account LowCardinality(String) COMMENT 'Name of the account in [[bills]]',
    day Date COMMENT 'Day in UTC',
    format LowCardinality(String) COMMENT 'As in bills, and openrouter',
    charges Array(Tuple(
        provider LowCardinality(String),
        model String,
        service_tier LowCardinality(String),
        kind LowCardinality(String),
        usd Decimal(38, 12),
        list_usd Nullable(Decimal(38, 12)),
        meter String,
        account String,
        key String,
        quantity Nullable(Decimal(38, 12)),
        unit LowCardinality(String),
        region LowCardinality(String)
    )) COMMENT 'Charges: as in bills, with the meter as billed, the project, workspace or key they are for, and the quantity',
    usage Array(Tuple(
        provider LowCardinality(String),
        model String,
        service_tier LowCardinality(String),
        account String,
        key String,
        requests Nullable(UInt64),
        tokens Map(LowCardinality(String), UInt64)
    )) COMMENT 'What the provider counted: requests, and tokens by cost line',
    pages Array(String) COMMENT 'Hashes of the pages it was read from',
    pull String COMMENT 'Pull that put it in force',
    pulled_at DateTime64(3, 'UTC') COMMENT 'When that was',
    version UInt64 COMMENT 'Newest row of a day wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (project, account, day)
SETTINGS $durable;

-- Every pull and what became of it.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS bill_pulls
(
    project LowCardinality(String) COMMENT 'Project',
    account LowCardinality(String) COMMENT 'Name of the account in [[bills]]',
    pull String COMMENT 'Identifier',
    provider LowCardinality(String) COMMENT 'As in [[bills]]',
    state LowCardinality(String) COMMENT 'done or failed',
    whole Bool COMMENT 'Whether all days were asked for; otherwise only the present one',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began',
    ended_at DateTime64(3, 'UTC') COMMENT 'When it ended',
    first_day Date COMMENT 'First day asked for',
    last_day Date COMMENT 'Last day asked for',
    days UInt32 COMMENT 'Days that were put in force',
    pages UInt32 COMMENT 'Pages or files read',
    lines UInt64 COMMENT 'Charges read',
    left_out Map(LowCardinality(String), Decimal(38, 12)) COMMENT 'USD of lines that are not compared',
    left_out_lines Map(LowCardinality(String), UInt64) COMMENT 'How many lines these are',
    notes Array(String) COMMENT 'What else is to be known',
    error String COMMENT 'Why it failed',
    retry_at DateTime64(3, 'UTC') COMMENT 'When it is tried again, if it failed'
)
ENGINE = MergeTree
ORDER BY (project, account, started_at, pull)
TTL toDateTime(started_at) + INTERVAL 400 DAY
SETTINGS $durable;

-- How much of the bills is explained, after each pull: what the overview says and alerts compare.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS bill_checks
(
    project LowCardinality(String) COMMENT 'Project',
    checked_at DateTime64(3, 'UTC') COMMENT 'When it was compared',
    first_day Date COMMENT 'First day compared',
    last_day Date COMMENT 'Last day compared',
    billed_usd Decimal(38, 12) COMMENT 'Billed',
    computed_usd Decimal(38, 12) COMMENT 'Computed from the calls',
    explained Nullable(Float64) COMMENT 'Share of the billed that calls and reasons explain, 0 to 1; NULL when nothing was billed',
    reasons Map(LowCardinality(String), Decimal(38, 12)) COMMENT 'The difference by reason, USD'
)
ENGINE = MergeTree
ORDER BY (project, checked_at)
TTL toDateTime(checked_at) + INTERVAL 400 DAY
SETTINGS $durable;

-- Of bills that were imported: the same of each charge, in the order of `charges`.
ALTER TABLE bills
    ADD COLUMN IF NOT EXISTS meters Array(Tuple(
        meter String,
        account String,
        key String,
        quantity Nullable(Decimal(38, 12)),
        unit LowCardinality(String),
        region LowCardinality(String)
    )) COMMENT 'Of each charge: the meter as billed, whom it is for, and the quantity' AFTER charges;
