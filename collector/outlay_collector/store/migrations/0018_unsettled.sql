-- Traces that could not be settled, so that they are known after a restart, and tried again then.
-- shard: cell
CREATE TABLE IF NOT EXISTS unsettled_traces
(
    project LowCardinality(String) COMMENT 'Project',
    trace_id String COMMENT 'Trace that a run was made without' CODEC(ZSTD(1)),
    reason String COMMENT 'The error, as its kind and its words',
    at DateTime64(6, 'UTC') COMMENT 'When it was tried last; the newest row wins',
    is_deleted UInt8 COMMENT 'Whether it has been settled since'
)
ENGINE = ReplacingMergeTree(at, is_deleted)
ORDER BY (project, trace_id)
SETTINGS $durable;
