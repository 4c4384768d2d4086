-- The calls of one estimate, for this connection only.
CREATE TEMPORARY TABLE estimate_calls
(
    n UInt32,
    provider String,
    model String,
    service_tier String,
    region String,
    at DateTime64(9, 'UTC'),
    input_tokens Nullable(UInt64),
    cache_read_tokens Nullable(UInt64),
    cache_write_tokens Nullable(UInt64),
    cache_write_1h_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    other_names Array(String),
    other_counts Array(UInt64)
)
