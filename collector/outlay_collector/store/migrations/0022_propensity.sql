-- With which probability a tier or an arm was chosen: what other choices would have brought follows from it.
ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS arm_propensity Nullable(Float64) COMMENT 'outlay.experiment.propensity: share of units that get this arm, above 0 to 1' CODEC(ZSTD(1)) AFTER arm,
    ADD COLUMN IF NOT EXISTS route_propensity Nullable(Float64) COMMENT 'outlay.route.propensity: probability with which this tier was to be chosen, above 0 to 1' CODEC(ZSTD(1)) AFTER route_reason;
