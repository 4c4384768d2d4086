-- The amounts that were told last: whether an alert has become worse since is measured from them.

ALTER TABLE alerts
    ADD COLUMN IF NOT EXISTS notified_actual_usd Nullable(Decimal(38, 12))
        COMMENT 'actual_usd as it was told last, NULL before it was' AFTER notified_state,
    ADD COLUMN IF NOT EXISTS notified_expected_usd Nullable(Decimal(38, 12))
        COMMENT 'expected_usd as it was told last' AFTER notified_actual_usd;
