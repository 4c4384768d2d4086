-- How tables lie on a cluster of several shards, for those that were made without saying so; see placement.py.
-- shard of settle_progress: cell
-- shard of ledger: everywhere
-- shard of dirty_hours: cell
-- shard of price_versions: everywhere
-- shard of prices: everywhere
-- shard of model_matches: everywhere
-- shard of price_epochs: everywhere
-- shard of repricings: everywhere
-- shard of repriced_days: everywhere
-- shard of closed_months: everywhere
-- shard of put_prices: everywhere
-- shard of rolled_hours: cell
-- shard of spend_hourly: cell
-- shard of spend_daily: cell
-- shard of latency_hourly: cell
-- shard of latency_daily: cell
-- shard of budgets: everywhere
-- shard of alerts: everywhere
-- shard of silences: everywhere
-- shard of acknowledgements: everywhere
-- shard of notifications: everywhere
-- shard of otlp_in: entry
-- shard of ingest_keys: everywhere
-- shard of sessions: everywhere
-- shard of bills: everywhere
-- shard of cascade_runs: cell
-- shard of cascade_hourly: cell
-- shard of cascade_parts: cell
-- shard of cascade_confidences: cell
-- shard of dimension_days: cell
-- shard of dimension_daily: cell

-- Over how many shards the rows were spread when the tables were made: with another number they would not be found.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS cluster_shards
(
    shards UInt32 COMMENT 'Shards of the cluster',
    noted_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'The first row counts'
)
ENGINE = MergeTree
ORDER BY noted_at
SETTINGS $durable;

-- Work that a request wants done by the jobs of every cell, on the traces it holds: one row per cell.
-- shard: everywhere
CREATE TABLE IF NOT EXISTS cell_tasks
(
    task String COMMENT 'Identifier',
    cell UInt32 COMMENT 'Shard whose jobs do it, from 1',
    kind LowCardinality(String) COMMENT 'resettle: read the spans again; agree: give the calls the prices in force',
    project LowCardinality(String) COMMENT 'Project',
    starts_at DateTime64(9, 'UTC') COMMENT 'Start of the window',
    ends_at DateTime64(9, 'UTC') COMMENT 'End of the window, exclusive',
    state LowCardinality(String) COMMENT 'wanted, done or failed',
    traces UInt64 COMMENT 'Traces that were settled again',
    error String COMMENT 'Why it failed',
    asked_at DateTime64(3, 'UTC') COMMENT 'When it was asked for',
    version UInt64 COMMENT 'Newest row wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (task, cell)
TTL toDateTime(asked_at) + INTERVAL 30 DAY
SETTINGS $durable;
