-- Spans of small batches on their way into `spans`: read in Python (load/rows.py), as ClickHouse takes as long to analyze the
-- view over `otlp_in` as to parse some thousand spans with it. The table keeps nothing. Its last columns are what `version`
-- is a hash of, the same as in `otlp_to_spans`: a test holds every column of both ways equal.

-- shard: entry
CREATE TABLE IF NOT EXISTS span_rows
(
    project LowCardinality(String) COMMENT 'As in spans',
    body_id String COMMENT 'As in spans',
    received_at DateTime64(3, 'UTC') COMMENT 'As in spans',
    resource_attributes Map(LowCardinality(String), String) COMMENT 'As in spans',
    service LowCardinality(String) COMMENT 'As in spans',
    service_version LowCardinality(String) COMMENT 'As in spans',
    environment LowCardinality(String) COMMENT 'As in spans',
    scope_name LowCardinality(String) COMMENT 'As in spans',
    scope_version LowCardinality(String) COMMENT 'As in spans',
    trace_id String COMMENT 'As in spans',
    span_id String COMMENT 'As in spans',
    parent_span_id String COMMENT 'As in spans',
    started_at DateTime64(9, 'UTC') COMMENT 'As in spans',
    duration_ns UInt64 COMMENT 'As in spans',
    name String COMMENT 'As in spans',
    kind LowCardinality(String) COMMENT 'As in spans',
    status LowCardinality(String) COMMENT 'As in spans',
    status_message String COMMENT 'As in spans',
    attributes Map(LowCardinality(String), String) COMMENT 'As in spans',
    texts Map(LowCardinality(String), String) COMMENT 'As in spans',
    events Array(Tuple(at DateTime64(9, 'UTC'), name String, attributes Map(String, String))) COMMENT 'As in spans',
    links Array(Tuple(trace_id String, span_id String)) COMMENT 'As in spans',
    flags Array(LowCardinality(String)) COMMENT 'As in spans',
    completeness UInt64 COMMENT 'First 24 bits of version',
    kind_code Int32 COMMENT 'Kind as OTLP has it',
    end_ns UInt64 COMMENT 'End as OTLP has it',
    status_code Int32 COMMENT 'Status as OTLP has it',
    keys Array(String) COMMENT 'Names of all attributes, in order',
    small_values Array(String) COMMENT 'Values of those that are neither content nor arrays',
    large_values Array(String) COMMENT 'Values of those that are content',
    array_texts Array(String) COMMENT 'Values of those that are arrays'
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS span_rows_to_spans TO spans AS
SELECT
    * EXCEPT (completeness, kind_code, end_ns, status_code, keys, small_values, large_values, array_texts),
    bitOr(
        bitShiftLeft(completeness, 40),
        bitShiftRight(cityHash64(name, kind_code, end_ns, status_code, status_message, keys, small_values, large_values, array_texts), 24)) AS version
FROM span_rows;
