-- The calls that change, kept until they are written. changes is reprice_changes.sql.
-- To merge the steps of so deep a statement takes longer than to run them.
CREATE OR REPLACE TEMPORARY TABLE repriced_calls ENGINE = Memory AS
$changes
SETTINGS query_plan_merge_expressions = 0
