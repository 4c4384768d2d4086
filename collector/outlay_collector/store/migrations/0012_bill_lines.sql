-- How many lines of a bill are not compared: those in another currency have no amount in USD.

ALTER TABLE bills
    ADD COLUMN IF NOT EXISTS left_out_lines Map(LowCardinality(String), UInt64)
        COMMENT 'Lines that are not compared, by reason, those in another currency as well' AFTER left_out;
