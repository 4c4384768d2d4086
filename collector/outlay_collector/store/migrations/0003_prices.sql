-- Prices: compiled lists, which names they match, and which list is in force when.

-- Every price list that was ever compiled: the catalogue with the corrections and contracts of that day.
CREATE TABLE IF NOT EXISTS price_versions
(
    price_version LowCardinality(String) COMMENT 'Hash of the catalogue and the contracts',
    known_since DateTime64(3, 'UTC') COMMENT 'When this list was first compiled here',
    catalogue String COMMENT 'Catalogue and its version',
    catalogue_checked Date COMMENT 'Date of the newest correction or check of the catalogue',
    contracts String COMMENT 'The user''s own prices, discounts and aliases as JSON'
)
ENGINE = ReplacingMergeTree
ORDER BY (price_version, known_since)
SETTINGS $durable;

-- One row per list, model, slot and start. A slot is service tier × size of the input × hours of the week; the row
-- holds until the slot's next one. Written once per version, never changed.
CREATE TABLE IF NOT EXISTS prices
(
    price_version LowCardinality(String) COMMENT 'Price list',
    row UInt64 COMMENT 'Identifies the row, never 0' CODEC(ZSTD(1)),
    slot_key UInt64 COMMENT 'Hash of list and model, plus the slot: what price.sql joins on' CODEC(ZSTD(1)),
    provider LowCardinality(String) COMMENT 'Provider in the price list',
    model String COMMENT 'Model in the price list' CODEC(ZSTD(1)),
    service_tier LowCardinality(String) COMMENT 'standard, batch, flex, priority …',
    min_input_tokens UInt64 COMMENT 'The prices hold for inputs strictly above this' CODEC(ZSTD(1)),
    hours LowCardinality(String) COMMENT 'Hours of the week in UTC, empty for all others',
    valid_from DateTime64(9, 'UTC') COMMENT 'From when; 1970 for as long as is known' CODEC(ZSTD(1)),
    origin LowCardinality(String) COMMENT 'catalogue, correction, overlay, discount',
    source String COMMENT 'Where the price was read' CODEC(ZSTD(1)),
    checked String COMMENT 'When it was checked there, empty for the catalogue''s own date' CODEC(ZSTD(1)),
    input_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'Contracted price of uncached input' CODEC(ZSTD(1)),
    cache_read_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'Contracted price of cache reads' CODEC(ZSTD(1)),
    cache_write_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'Contracted price of five-minute cache writes' CODEC(ZSTD(1)),
    cache_write_1h_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'Contracted price of one-hour cache writes' CODEC(ZSTD(1)),
    output_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'Contracted price of output' CODEC(ZSTD(1)),
    reasoning_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'Contracted price of reasoning where it differs from output' CODEC(ZSTD(1)),
    other_usd_per_million Map(LowCardinality(String), Decimal(38, 12)) COMMENT 'Contracted prices of audio, images, searches …' CODEC(ZSTD(1)),
    list_input_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'The provider''s list price' CODEC(ZSTD(1)),
    list_cache_read_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'The provider''s list price' CODEC(ZSTD(1)),
    list_cache_write_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'The provider''s list price' CODEC(ZSTD(1)),
    list_cache_write_1h_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'The provider''s list price' CODEC(ZSTD(1)),
    list_output_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'The provider''s list price' CODEC(ZSTD(1)),
    list_reasoning_usd_per_mtok Nullable(Decimal(38, 12)) COMMENT 'The provider''s list price' CODEC(ZSTD(1)),
    list_other_usd_per_million Map(LowCardinality(String), Decimal(38, 12)) COMMENT 'The provider''s list prices' CODEC(ZSTD(1)),
    is_list Bool COMMENT 'The contracted prices are the list prices',
    borrowed Array(LowCardinality(String)) COMMENT 'Parts that this tier takes from the standard one; * when it has none yet',
    -- The same as price.sql multiplies it: each part at its own price or the one standing in. Bits count parts from 0 on:
    -- input, cache read, cache write, one-hour write, output, reasoning; then bit 6 for any other part.
    rates Array(Decimal(18, 12)) MATERIALIZED [
        toDecimal64(ifNull(input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(cache_read_usd_per_mtok, input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(cache_write_1h_usd_per_mtok, cache_write_usd_per_mtok, input_usd_per_mtok, 0), 12),
        toDecimal64(ifNull(output_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok, 0), 12),
        toDecimal64(other_usd_per_million['requests'], 12)
    ] COMMENT 'Contracted prices of the six parts, then of a request',
    list_rates Array(Decimal(18, 12)) MATERIALIZED [
        toDecimal64(ifNull(list_input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(list_cache_read_usd_per_mtok, list_input_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(list_cache_write_usd_per_mtok, list_input_usd_per_mtok, 0), 12),
        toDecimal64(
            coalesce(list_cache_write_1h_usd_per_mtok, list_cache_write_usd_per_mtok, list_input_usd_per_mtok, 0), 12
        ),
        toDecimal64(ifNull(list_output_usd_per_mtok, 0), 12),
        toDecimal64(coalesce(list_reasoning_usd_per_mtok, list_output_usd_per_mtok, 0), 12),
        toDecimal64(list_other_usd_per_million['requests'], 12)
    ] COMMENT 'The same at list prices',
    unknown UInt8 MATERIALIZED toUInt8(
        isNull(input_usd_per_mtok) + isNull(coalesce(cache_read_usd_per_mtok, input_usd_per_mtok)) * 2
        + isNull(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok)) * 4
        + isNull(coalesce(cache_write_1h_usd_per_mtok, cache_write_usd_per_mtok, input_usd_per_mtok)) * 8
        + isNull(output_usd_per_mtok) * 16
        + isNull(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok)) * 32 + 128
    ) COMMENT 'Bits of parts that have no price; bit 7: nothing stands in for a fee',
    stands_in UInt8 MATERIALIZED toUInt8(
        isNull(cache_read_usd_per_mtok) * 2 + isNull(cache_write_usd_per_mtok) * 4
        + isNull(cache_write_1h_usd_per_mtok) * 8 + isNull(reasoning_usd_per_mtok) * 32
    ) COMMENT 'Bits of parts that another part''s price stands in for',
    borrowed_parts UInt8 MATERIALIZED toUInt8(
        has(borrowed, 'input') + has(borrowed, 'cache_read') * 2 + has(borrowed, 'cache_write') * 4
        + has(borrowed, 'cache_write_1h') * 8 + has(borrowed, 'output') * 16 + has(borrowed, 'reasoning') * 32
        + arrayExists(part -> match(part, '_(audio|image|video)$'), borrowed) * 64 + has(borrowed, '*') * 128
    ) COMMENT 'Bits of parts at the standard tier''s price; bit 7: all of it'
)
ENGINE = ReplacingMergeTree
ORDER BY (price_version, provider, model, service_tier, min_input_tokens, hours, valid_from)
SETTINGS $durable;

-- Which model of a list the names on a call mean, and the grid of that model's slots. A cache: names that are not here
-- were not found, or not seen yet.
CREATE TABLE IF NOT EXISTS model_matches
(
    price_version LowCardinality(String) COMMENT 'Price list; with a + names that it lacks may be of a later one',
    provider LowCardinality(String) COMMENT 'As on the call',
    request_model String COMMENT 'As on the call' CODEC(ZSTD(1)),
    response_model String COMMENT 'As on the call' CODEC(ZSTD(1)),
    service_tier LowCardinality(String) COMMENT 'Service tier in the price list''s words',
    names UInt64 MATERIALIZED cityHash64(price_version, provider, request_model, response_model, service_tier) COMMENT 'What price.sql joins on',
    matched_provider LowCardinality(String) COMMENT 'Provider in the price list',
    matched_name String COMMENT 'Model in the price list' CODEC(ZSTD(1)),
    matched_model LowCardinality(String) COMMENT 'provider:model in the price list',
    match_kind LowCardinality(String) COMMENT 'exact, alias, dated, prefix_stripped, fine_tune, model_owner, contract …',
    model_key UInt64 COMMENT 'Hash of list and model' CODEC(ZSTD(1)),
    no_tier Bool COMMENT 'The model has no such service tier: the standard one is used',
    tier_slot UInt32 COMMENT 'Part of the slot that the service tier decides',
    thresholds Array(UInt64) COMMENT 'Input sizes above which prices change, ascending',
    windows Array(Tuple(weekdays UInt8, start_s UInt32, end_s UInt32)) COMMENT 'Hours of the week with prices of their own'
)
ENGINE = ReplacingMergeTree
ORDER BY (price_version, provider, request_model, response_model, service_tier)
SETTINGS $durable;

-- Which list prices the calls that start in a stretch of time. A stretch ends where the project's next one starts; the
-- last is open. A new list opens a new stretch, so that history keeps its price; only a repricing moves an old one.
CREATE TABLE IF NOT EXISTS price_epochs
(
    project LowCardinality(String) COMMENT 'Project',
    starts_at DateTime64(9, 'UTC') COMMENT 'Start of the stretch, inclusive',
    price_version LowCardinality(String) COMMENT 'Price list in force',
    closed Bool COMMENT 'The books are closed: a repricing needs to reopen it',
    version UInt64 COMMENT 'Change that wrote the row',
    is_deleted UInt8 COMMENT '1 = the stretch was joined with the one before'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (project, starts_at)
SETTINGS $durable;

-- Repricings: what was moved, and the stretches as they were, so that it can be undone.
CREATE TABLE IF NOT EXISTS repricings
(
    id String COMMENT 'Identifier',
    project LowCardinality(String) COMMENT 'Project',
    starts_at DateTime64(9, 'UTC') COMMENT 'Start of the window',
    ends_at DateTime64(9, 'UTC') COMMENT 'End of the window, exclusive',
    price_version LowCardinality(String) COMMENT 'Price list moved to',
    state LowCardinality(String) COMMENT 'applying, applied, undoing, undone',
    epochs_before String COMMENT 'The project''s stretches before, as JSON',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was asked for',
    version UInt64 COMMENT 'Newest row of an id wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS $durable;

-- Both figures of a repricing, per day and feature.
CREATE TABLE IF NOT EXISTS repriced_days
(
    repricing String COMMENT 'Identifier of the repricing',
    day Date COMMENT 'Day in UTC',
    feature String COMMENT 'As in calls',
    provider LowCardinality(String) COMMENT 'As in calls',
    model String COMMENT 'As in calls',
    closed Bool COMMENT 'The day lies in closed books: the difference is an adjustment',
    calls UInt64 COMMENT 'Calls whose figures changed',
    newly_priced UInt64 COMMENT 'Of them, calls that had no price before',
    before_usd Decimal(38, 12) COMMENT 'Sum of the calls that changed, before',
    after_usd Decimal(38, 12) COMMENT 'Sum of the calls that changed, after'
)
ENGINE = ReplacingMergeTree
ORDER BY (repricing, day, feature, provider, model, closed)
SETTINGS $durable;

-- Closed months: what the books said when they were closed. What arrives or is repriced later is the difference.
CREATE TABLE IF NOT EXISTS closed_months
(
    project LowCardinality(String) COMMENT 'Project',
    month Date COMMENT 'First day of the month, UTC',
    closed_at DateTime64(3, 'UTC') COMMENT 'When it was closed',
    calls UInt64 COMMENT 'Calls at that moment',
    cost_usd Decimal(38, 12) COMMENT 'Cost at that moment',
    version UInt64 COMMENT 'Newest row of a month wins',
    is_deleted UInt8 COMMENT '1 = reopened'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (project, month)
SETTINGS $durable;

-- Prices that were put through the interface instead of the configuration file; deleted ones stay as tombstones.
CREATE TABLE IF NOT EXISTS put_prices
(
    provider String COMMENT 'As given',
    model String COMMENT 'As given',
    service_tier String COMMENT 'As given',
    min_input_tokens UInt64 COMMENT 'As given',
    valid_from String COMMENT 'As given',
    body String COMMENT 'The whole row as JSON',
    version UInt64 COMMENT 'When it was put',
    is_deleted UInt8 COMMENT '1 = taken back'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (provider, model, service_tier, min_input_tokens, valid_from)
SETTINGS $durable;
