-- Where calls were answered, as far as that is a matter of price.
ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS region LowCardinality(String) COMMENT 'Region or geography that answered: us-east5, eu …; empty for the global endpoint, or where nothing tells' AFTER service_tier;
