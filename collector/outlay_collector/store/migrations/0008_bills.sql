-- Bills: what providers say they charged, read from their own exports, never computed.

-- One row per bill: `outlay reconcile` compares its charges with what the calls cost.
CREATE TABLE IF NOT EXISTS bills
(
    project LowCardinality(String) COMMENT 'Project whose calls it is compared with',
    bill String COMMENT 'Hash of the file: the same file again replaces it',
    name String COMMENT 'Name of the file, as given',
    format LowCardinality(String) COMMENT 'focus, openai, anthropic or anthropic_report',
    first_day Date COMMENT 'First day it covers, UTC',
    last_day Date COMMENT 'Last day it covers, UTC',
    charges Array(Tuple(
        day Date,
        provider LowCardinality(String),
        model String,
        service_tier LowCardinality(String),
        kind LowCardinality(String),
        usd Decimal(38, 12),
        list_usd Nullable(Decimal(38, 12))
    )) COMMENT 'Its charges per day, provider, model as billed, tier and kind: usage, fee, credit; list_usd where it says so',
    lines UInt64 COMMENT 'Lines of the file that charge something',
    left_out Map(LowCardinality(String), Decimal(38, 12)) COMMENT 'USD of lines that are not compared: tax, other services',
    imported_at DateTime64(3, 'UTC') COMMENT 'When it was read',
    version UInt64 COMMENT 'Newest row of a bill wins',
    is_deleted UInt8 COMMENT '1 = taken away'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (project, bill)
SETTINGS $durable;
