-- Scratch tables of one settle connection. Temporary: they live as long as the connection and are emptied per run.

-- Traces of this run, and since when they changed. write = 0: read only because a trace that is written shares a response
-- id with it.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_traces
(
    project LowCardinality(String),
    trace_id String,
    write UInt8,
    round UInt8,
    since DateTime64(3, 'UTC'),
    trace UInt64 DEFAULT sipHash64(project, trace_id)
)
ENGINE = Memory;

-- Hours in which those traces have spans: with trace_hours this is the whole of what has to be read.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_hours
(
    project LowCardinality(String),
    hour DateTime('UTC'),
    trace_id String,
    round UInt8,
    giant UInt8
)
ENGINE = Memory;

-- Keys of what a round speaks of, when, and the hours in which others that speak of it are noted.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_keys
(
    key UInt64,
    began_at DateTime64(9, 'UTC'),
    ended_at DateTime64(9, 'UTC'),
    hours Array(DateTime('UTC'))
)
ENGINE = Memory;

-- Spans elsewhere that speak of a response which a span of this run speaks of; round: when their traces are read.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_partners
(
    project LowCardinality(String),
    trace_id String,
    span_id String,
    round UInt8
)
ENGINE = Memory;

-- All spans of giant traces.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_giant
(
    project LowCardinality(String),
    hour DateTime('UTC'),
    trace_id String,
    span_id String,
    id UInt64,
    pid UInt64,
    received_at DateTime64(3, 'UTC')
)
ENGINE = Memory;

-- The part of giant traces that the new spans touch, by step: what changed with all above it, then all below the heads.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_touched
(
    id UInt64,
    step UInt8,
    depth UInt16,
    is_read UInt8
)
ENGINE = Memory;

-- What spans say in canonical form. What is worked out per row is no LowCardinality: to intern it costs more than to copy.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_spans
(
    id UInt64,
    pid UInt64,
    trace UInt64,
    project LowCardinality(String),
    trace_id String,
    span_id String,
    parent_span_id String,
    started_at DateTime64(9, 'UTC'),
    duration_ns UInt64,
    name String,
    service LowCardinality(String),
    environment LowCardinality(String),
    scope_name LowCardinality(String),
    dialect String,
    rank UInt8,
    usage_role UInt8,
    failed UInt8,
    cached UInt8,
    provider String,
    request_model String,
    response_model String,
    response_id String,
    service_tier String,
    operation String,
    -- input, cache read, cache write, one-hour part of it, output, reasoning; empty without usage
    counts Array(Nullable(UInt64)),
    other_usage Map(String, UInt64),
    has_usage UInt8,
    estimated UInt8,
    billed_failure UInt8,
    reported_cost_usd Nullable(Decimal(38, 12)),
    streamed Nullable(Bool),
    time_to_first_token_ms Nullable(Float32),
    attempt UInt16,
    request_id String,
    error_type String,
    context Map(String, String),
    cache_kind String,
    cache_hit Nullable(Bool),
    cache_similarity Nullable(Float64),
    avoided_input_tokens Nullable(UInt64),
    avoided_output_tokens Nullable(UInt64),
    tail_s Nullable(Float64),
    prompt_parts Map(String, UInt64),
    prompt_hash UInt64,
    prefix_hash UInt64,
    flags Array(String),
    lookup UInt64,
    conflict UInt8,
    unattributed UInt8,
    began_at DateTime64(9, 'UTC'),
    ended_at DateTime64(9, 'UTC'),
    -- Three hashes by which spans of one request find each other, 0 where there is nothing to go by: the response's id,
    response_key UInt64,
    -- its counts, where a library does not pass the id on (a span in a trace of its own, or without an id),
    fingerprint UInt64,
    -- and what ties a stream's usage to the request that opened it, for the dialects that report them in two spans.
    stream UInt64
)
ENGINE = Memory
;

-- Where a span stands in its trace: nearest span above it that speaks of usage, nearest cache lookup above it, and the
-- inherited attributes, its own included.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_tree
(
    id UInt64,
    depth UInt16,
    above UInt64,
    usage_depth UInt16,
    here UInt64,
    lookup UInt64,
    lookup_here UInt64,
    context Map(String, String)
)
ENGINE = Memory;

-- Spans that speak of usage, with what is needed to tell which of them speak of the same request.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_usage
(
    id UInt64,
    trace UInt64,
    project LowCardinality(String),
    trace_id String,
    span_id String,
    started_at DateTime64(9, 'UTC'),
    began_at DateTime64(9, 'UTC'),
    ended_at DateTime64(9, 'UTC'),
    scope_name LowCardinality(String),
    usage_role UInt8,
    rank UInt8,
    failed UInt8,
    cached UInt8,
    has_usage UInt8,
    estimated UInt8,
    response_key UInt64,
    fingerprint UInt64,
    stream UInt64,
    rooted UInt8,
    request_model String,
    response_model String,
    provider String,
    model String,
    counts Array(Nullable(UInt64)),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    above UInt64,
    usage_depth UInt16
)
ENGINE = Memory;

-- Pairs within a trace: child and the span above it, and how surely they are one request (0 = they are not).
CREATE TEMPORARY TABLE IF NOT EXISTS settle_pairs
(
    child UInt64,
    parent UInt64,
    score UInt8,
    conflict UInt8,
    started_at DateTime64(9, 'UTC')
)
ENGINE = Memory;

CREATE TEMPORARY TABLE IF NOT EXISTS settle_links
(
    child UInt64,
    parent UInt64,
    reason LowCardinality(String)
)
ENGINE = Memory;

-- Spans whose usage stands for what is below them.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_aggregates
(
    id UInt64
)
ENGINE = Memory;

-- Span to the topmost span of its chain of links.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_tops
(
    id UInt64,
    head UInt64
)
ENGINE = Memory;

CREATE TEMPORARY TABLE IF NOT EXISTS settle_shared
(
    head UInt64
)
ENGINE = Memory;

-- Chains that share a response id with another: chain to the chain it belongs to, or itself when they contradict.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_joined
(
    head UInt64,
    into_head UInt64,
    conflict UInt8
)
ENGINE = Memory;

-- Span to the request it speaks of; winner is the span that becomes the call.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_members
(
    id UInt64,
    request UInt64,
    winner UInt64,
    precedence UInt32,
    conflict UInt8
)
ENGINE = Memory;

-- Sums over the subtree of each usage span, and what an aggregate says beyond them.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_sums
(
    id UInt64,
    above UInt64,
    aggregate UInt8,
    surplus UInt8,
    covers UInt32,
    counts Array(UInt64),
    rest Array(UInt64),
    blanks UInt32,
    blank UInt64,
    filled UInt64,
    model String,
    provider String
)
ENGINE = Memory
;

-- Usage spans of traces that have aggregates, with the counts of the request each of them stands for.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_nodes
(
    id UInt64,
    above UInt64,
    usage_depth UInt16,
    aggregate UInt8,
    counted UInt8,
    has_usage UInt8,
    failed UInt8,
    request UInt64,
    counts Array(Nullable(UInt64)),
    model String,
    provider String
)
ENGINE = Memory;

-- Requests in the shape of settle_spans, whether one span speaks of them or several, and what aggregates say beyond.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_requests
ENGINE = Memory
AS SELECT *, toUInt32(1) AS precedence, toUInt8(0) AS cut FROM settle_spans LIMIT 0
;

-- Requests that several spans speak of, while they are put together: what the spans from that precedence on say.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_merged
ENGINE = Memory
AS SELECT * FROM settle_requests LIMIT 0
;

-- Rows of response_ids that earlier runs wrote for these traces.
CREATE TEMPORARY TABLE IF NOT EXISTS settle_known_ids
ENGINE = Memory
AS SELECT * FROM response_ids LIMIT 0
