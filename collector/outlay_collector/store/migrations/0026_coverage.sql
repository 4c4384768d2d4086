-- Of the calls whose cost is known, those it is less sure of, in the rollups: a price or a split that stands in, and cached
-- input that nobody tells of. All hours are rolled up anew; until an hour is, it is answered from its calls.

ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS assumed UInt8 ALIAS isNotNull(cost_usd) AND position(replaceOne(match_kind, '+later_list', ''), '+') > 0 COMMENT '1 = a price or a split stands in for one that is not known',
    ADD COLUMN IF NOT EXISTS cached_unknown UInt8 ALIAS isNotNull(cost_usd) AND has(flags, 'cached_input_unknown') COMMENT '1 = the cost leaves cached input out, of which nobody tells';

ALTER TABLE spend_hourly
    ADD COLUMN IF NOT EXISTS assumed_calls UInt64 COMMENT 'Calls with assumed of calls' CODEC(T64, ZSTD(1)) AFTER priced_calls,
    ADD COLUMN IF NOT EXISTS cached_unknown_calls UInt64 COMMENT 'Calls with cached_unknown of calls' CODEC(T64, ZSTD(1)) AFTER assumed_calls;

ALTER TABLE spend_daily
    ADD COLUMN IF NOT EXISTS assumed_calls UInt64 COMMENT 'As in spend_hourly' CODEC(T64, ZSTD(1)) AFTER priced_calls,
    ADD COLUMN IF NOT EXISTS cached_unknown_calls UInt64 COMMENT 'As in spend_hourly' CODEC(T64, ZSTD(1)) AFTER assumed_calls;

ALTER TABLE dimension_daily
    ADD COLUMN IF NOT EXISTS assumed_calls UInt64 COMMENT 'As in spend_daily' CODEC(T64, ZSTD(1)) AFTER priced_calls,
    ADD COLUMN IF NOT EXISTS cached_unknown_calls UInt64 COMMENT 'As in spend_daily' CODEC(T64, ZSTD(1)) AFTER assumed_calls;

TRUNCATE TABLE rolled_hours;

TRUNCATE TABLE dimension_days;
