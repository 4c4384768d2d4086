-- The ledger's rows, newest per collector. Parameter: collector, empty for all.
-- Columns: counts of spans and log records, cumulative.
SELECT
    collector,
    segment,
    received,
    stored,
    rejected,
    quarantined,
    duplicate,
    logs_received,
    logs_stored,
    logs_rejected,
    logs_quarantined
FROM ledger FINAL
WHERE {collector:String} = '' OR collector = {collector:String}
