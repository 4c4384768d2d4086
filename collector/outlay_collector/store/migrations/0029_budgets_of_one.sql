-- Budgets of any one value of a dimension ("any user over $5"), and over the last hours in place of a period.

ALTER TABLE budgets
    ADD COLUMN IF NOT EXISTS per LowCardinality(String) DEFAULT ''
        COMMENT 'Dimension of which any one value may spend the amount, empty: all together' AFTER timezone,
    ADD COLUMN IF NOT EXISTS window_hours UInt32 DEFAULT 0
        COMMENT 'The last so many hours count, 0: the period' AFTER per;
