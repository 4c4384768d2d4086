-- Runs of cascades that ended with an answer which nothing accepted, and the calls that only judge an answer.

ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS cascade_forced UInt8 COMMENT 'outlay.cascade.forced: the run ended here with an answer that nothing accepted' AFTER cascade_threshold,
    ADD COLUMN IF NOT EXISTS cascade_judge UInt8 COMMENT 'outlay.cascade.judge: judges an answer of the attempt, and is none' AFTER cascade_forced;

ALTER TABLE cascade_hourly
    ADD COLUMN IF NOT EXISTS forced_runs UInt64 COMMENT 'Runs that ended with an answer which nothing accepted' CODEC(T64, ZSTD(1)) AFTER accepted_runs;

ALTER TABLE cascade_parts
    ADD COLUMN IF NOT EXISTS forced UInt8 COMMENT 'Whether the run was forced to end here' AFTER failed;
