-- What customers pay, put over the API; that of outlay.toml is not in here. A small table, read with FINAL.

-- shard: everywhere
CREATE TABLE IF NOT EXISTS revenue
(
    project LowCardinality(String) COMMENT 'Project',
    customer String COMMENT 'As calls say it',
    valid_from Date32 COMMENT 'First day, until the customer''s next row',
    usd_per_month Decimal(38, 12) COMMENT 'What the customer pays a month',
    updated_at DateTime64(6, 'UTC') COMMENT 'When it was last put; the newest row wins',
    is_deleted UInt8 COMMENT '1 = deleted'
)
ENGINE = ReplacingMergeTree(updated_at, is_deleted)
ORDER BY (project, customer, valid_from)
SETTINGS $durable;
