-- Which channels heard of an alert: a pager that takes only what is critical hears of it once it is, and of its end.

ALTER TABLE alerts
    ADD COLUMN IF NOT EXISTS notified_channels Array(String)
        COMMENT 'Channels that heard of it, as in notify; empty for what was told before these were kept' AFTER notified_expected_usd;
