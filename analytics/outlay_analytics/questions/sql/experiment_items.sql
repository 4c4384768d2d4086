-- Question: what did each arm of an evaluation make of each item?
-- Fragments: arm, item (texts on c), filters (conditions on c). Parameters: project, start, end, max_rows, those of the fragments.
-- Result: one row per arm and item: mean cost of a call (NULL where none is known), share of failed calls.
SELECT
    $arm AS arm,
    $item AS item,
    avg(toFloat64(c.cost_usd)) AS cost,
    countIf(c.status = 'error') / count() AS error
FROM calls AS c FINAL
WHERE c.project = {project:String}
  AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
  AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
  AND ($filters)
GROUP BY arm, item
HAVING arm != '' AND item != ''
ORDER BY item, arm
LIMIT {max_rows:UInt32}
