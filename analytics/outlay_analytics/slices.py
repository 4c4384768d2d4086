"""Which slices of the spend a change happened in: the drill-down, applied to the store and repeated.

After the best slice is found, it is said to be explained (its actual values take the rest's ratio) and the search
goes on, so that two incidents in one window give two slices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.drill import drill
from outlay_analytics.spend_source import spend_source
from outlay_analytics.window import DIMENSIONS, Scope, Window, dimension_value
from outlay_collector.store import Store, load_sql

DIMS = ("feature", "model", "team", "customer", "user", "environment", "service", "prompt", "prompt_version")
MOST_ROWS = 20_000
MOST_CALLS = 200_000  # beyond, only the dimensions that the rollups hold
MOST_VALUES = 60
MOST_SLICES = 3
LEAST_SCORE = 0.15
LEAST_SHARE = 0.1
OTHER = object()


def find_slices(store: Store, scope: Scope, base: Window, change: Decimal, calls: int) -> list[dict[str, Any]]:
    """Up to three slices, each with the exact change of its spend and its share of the whole change."""
    if not change:
        return []
    dims = tuple(
        dim
        for dim in DIMS
        if len(scope.filters.get(dim, ())) != 1 and (calls <= MOST_CALLS or DIMENSIONS[dim].rollup is not None)
    )
    table = _table(store, scope, base, dims)
    rows, varied = _simplified(list(table), dims)
    if not varied:
        return []
    expected = np.array([float(before) for before, _ in table.values()])
    actual = np.array([float(after) for _, after in table.values()])
    whole = float(abs(actual.sum() - expected.sum()))
    found: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    for _ in range(MOST_SLICES):
        where, score = drill(rows, varied, expected, actual)
        where = {name: value for name, value in where.items() if value is not OTHER}
        if not where or score < LEAST_SCORE or where in seen:
            break
        seen.append(where)
        inside = np.array([all(row[varied.index(name)] == value for name, value in where.items()) for row in rows])
        moved = sum((pair[1] - pair[0] for pair, held in zip(table.values(), inside, strict=True) if held), Decimal(0))
        if abs(float(moved)) < LEAST_SHARE * whole:
            break
        shown = {name: dimension_value(name, value) for name, value in where.items()}
        found.append({"where": shown, "change_usd": moved, "share": float(moved / change)})
        rest = actual[~inside].sum() / max(expected[~inside].sum(), 1e-12) if (~inside).any() else 1.0
        actual = np.where(inside, expected * rest, actual)
        if abs(actual.sum() - expected.sum()) < LEAST_SHARE * whole:
            break
    return found


def _table(
    store: Store, scope: Scope, base: Window, dims: Sequence[str]
) -> dict[tuple[str, ...], tuple[Decimal, Decimal]]:
    """Cost before and after, by combination of the dimensions' values."""
    table: dict[tuple[str, ...], list[Decimal]] = {}
    for side, window in enumerate((base, scope.window)):
        source = spend_source(store, replace(scope, window=window), dims)
        names = [f"d{number}" for number in range(len(dims))]
        sql = load_sql("outlay_analytics.sql", "explain_slices", source=source.sql, keys=", ".join(names))
        for row in store.query(sql, {**source.params, "max_rows": MOST_ROWS}):
            key = tuple(row[name] for name in names)
            table.setdefault(key, [Decimal(0), Decimal(0)])[side] = row["usd"]
    return {key: (pair[0], pair[1]) for key, pair in table.items()}


def _simplified(keys: Sequence[tuple[str, ...]], dims: Sequence[str]) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Rows over the dimensions that vary, rare values of long dimensions pooled."""
    columns: list[list[Any]] = []
    varied: list[str] = []
    for number, dim in enumerate(dims):
        column: list[Any] = [key[number] for key in keys]
        counts = Counter(column)
        if len(counts) < 2:
            continue
        if len(counts) > MOST_VALUES:
            kept = {value for value, _ in counts.most_common(MOST_VALUES)}
            column = [value if value in kept else OTHER for value in column]
        columns.append(column)
        varied.append(dim)
    return list(zip(*columns, strict=True)) if columns else [], varied
