"""Traces that show a change: the calls in which its largest driver is most visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Window
from outlay_collector.store import Store, load_sql

COUNT = 5
_COST = "sum(ifNull(c.cost_usd, 0))"
# For each driver: which calls show it, and by what measure the clearest come first.
_SHOWN_BY = {
    "requests": ("1", _COST),
    "escalation": ("ifNull(c.cascade_tier, 0) >= 1 AND c.attempt = 1", _COST),
    "retries": ("attempt > 1", _COST),
    "model_mix": ("1", _COST),
    "input_tokens": ("1", "max(ifNull(c.input_tokens, 0))"),
    "output_tokens": ("1", "max(ifNull(c.output_tokens, 0))"),
    "cache_share": (
        "ifNull(c.input_tokens, 0) > 0",
        "max(toInt64(ifNull(c.input_tokens, 0)) - toInt64(ifNull(c.cache_read_tokens, 0)))",
    ),
    "unit_price": ("1", _COST),
    "unexplained": ("ifNull(c.input_tokens, 0) + ifNull(c.output_tokens, 0) = 0", _COST),
}


def examples(
    store: Store,
    scope: Scope,
    base: Window,
    by: str,
    cells: Sequence[dict[str, Any]],
    slices: Sequence[dict[str, Any]],
    change: Decimal,
) -> list[str]:
    """Up to five trace ids, from the largest cell that moved with the change.

    When spend fell they come from the base window: what went away can only be seen there.
    """
    moved = [cell for cell in cells if (cell["usd"] > 0) == (change > 0)]
    if not moved:
        return []
    cell = moved[0]
    own: dict[str, tuple[str, ...]] = {} if cell.get("remainder") else {by: _filter(cell[by])}
    where = dict(own)
    for name, value in (slices[0]["where"] if slices else {}).items():
        where.setdefault(name, _filter(value))
    window = scope.window if change > 0 else base
    attempts: tuple[dict[str, tuple[str, ...]], ...] = (where, own, {})
    for narrowed in attempts:
        found = _query(store, replace(scope, window=window), narrowed, cell["driver"])
        if found:
            return found
    return []


def _filter(value: object) -> tuple[str, ...]:
    return ("" if value is None else str(value),)


def _query(store: Store, scope: Scope, narrowed: dict[str, tuple[str, ...]], driver: str) -> list[str]:
    filters = dict(scope.filters)
    for name, values in narrowed.items():
        kept = tuple(value for value in values if name not in filters or value in filters[name])
        if not kept:
            return []
        filters[name] = kept
    try:
        scope = replace(scope, filters=filters)
    except BadRequest:
        return []
    params: dict[str, Any] = {
        "project": scope.project,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
        "max_rows": COUNT,
    }
    condition, measure = _SHOWN_BY[driver]
    conditions = filter_sql(scope, "calls", params) or "0"
    sql = load_sql(
        "outlay_analytics.explain.sql", "explain_examples", filters=conditions, condition=condition, measure=measure
    )
    return [row["trace_id"] for row in store.query(sql, params)]
