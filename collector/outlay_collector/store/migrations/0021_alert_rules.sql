-- Rules that watch something else than a budget; those of outlay.toml are not in here. A small table, read with FINAL.

-- shard: everywhere
CREATE TABLE IF NOT EXISTS alert_rules
(
    project LowCardinality(String) COMMENT 'Project',
    name String COMMENT 'Name, as in /rules/{name}',
    kind LowCardinality(String) COMMENT 'What is watched: spend_usd, entity_usd, error_share …',
    threshold Decimal(38, 12) COMMENT 'From which value on it fires; the unit is that of its kind',
    window_hours UInt32 COMMENT 'Hours that it looks at, up to now',
    per LowCardinality(String) COMMENT 'Of entity_usd: user, customer, session or another dimension; else empty',
    budget String COMMENT 'Of budget_share: name of the budget; else empty',
    severity LowCardinality(String) COMMENT 'warning or critical',
    scope Map(String, Array(String)) COMMENT 'Filters: dimension to the values that count, empty = all calls',
    notify Array(String) COMMENT 'Names or addresses of channels',
    updated_at DateTime64(6, 'UTC') COMMENT 'When it was last put; the newest row wins',
    is_deleted UInt8 COMMENT '1 = deleted'
)
ENGINE = ReplacingMergeTree(updated_at, is_deleted)
ORDER BY (project, name)
SETTINGS $durable;
