-- The calls of a window whose figures another price list changes. priced is reprice_fees.sql. Calls that
-- arrived late and took the price of a later list keep it where this one does not know their model.
SELECT *
FROM ($priced)
WHERE (
    cost_state, ifNull(toString(cost_usd), ''), ifNull(toString(list_cost_usd), ''),
    ifNull(toString(uncached_cost_usd), ''), ifNull(toString(avoided_usd), ''), mapSort(cost_lines)
) != (
    old_cost_state, ifNull(toString(old_cost_usd), ''), ifNull(toString(old_list_cost_usd), ''),
    ifNull(toString(old_uncached_cost_usd), ''), ifNull(toString(old_avoided_usd), ''), mapSort(old_cost_lines)
)
AND NOT (cost_state = 'unpriced' AND position(old_match_kind, '+later_list') > 0)
