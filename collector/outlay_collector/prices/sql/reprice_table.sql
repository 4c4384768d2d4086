-- The calls that change as they will be, kept until they are written. changes is reprice_changes.sql.
-- To merge the steps of so deep a statement takes longer than to run them, and a table made from it plans it twice.
INSERT INTO repriced_calls ($columns)
SELECT $values
FROM ($changes)
SETTINGS query_plan_merge_expressions = 0
