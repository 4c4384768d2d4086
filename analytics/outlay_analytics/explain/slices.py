"""Which slices of the spend a change happened in: the drill-down, applied to the store and repeated.

After the best slice is found, it is said to be explained (its actual values take the rest's ratio) and the search
goes on, so that two incidents in one window give two slices. Where combinations are very many, only the values that
cost much in one of the windows stay apart in the search; the change of a slice is exact all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.explain.drilldown import drill
from outlay_analytics.explain.expected import Expected, scopes_of
from outlay_analytics.query.dimensions import DIMENSIONS, dimension_value
from outlay_analytics.query.folding import Kept, folded
from outlay_analytics.query.groups import Groups, look_at
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import Source, spend_source
from outlay_analytics.query.window import Window
from outlay_collector.store import Row, Store, load_sql

DIMS = ("feature", "model", "team", "customer", "user", "environment", "service", "prompt", "prompt_version")
MOST_ROWS = 20_000
MOST_CALLS = 200_000  # beyond, only the dimensions that the rollups hold
MOST_VALUES = 60
MOST_SLICES = 3
LEAST_SCORE = 0.15
LEAST_SHARE = 0.1
OTHER = object()


def find_slices(
    store: Store, scope: Scope, base: Window | Expected, change: Decimal, calls: int
) -> list[dict[str, Any]]:
    """Up to three slices, each with the exact change of its spend and its share of the whole change."""
    if not change:
        return []
    dims = tuple(
        dim
        for dim in DIMS
        if len(scope.filters.get(dim, ())) != 1 and (calls <= MOST_CALLS or DIMENSIONS[dim].rollup is not None)
    )
    table, exact, level = _table(store, scope, base, dims)
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
        if not exact:
            moved = _change(store, scope, base, where, level)
        if abs(float(moved)) < LEAST_SHARE * whole:
            break
        shown = {name: dimension_value(name, value) for name, value in where.items()}
        found.append({"where": shown, "change_usd": moved, "share": float(moved / change)})
        rest = actual[~inside].sum() / max(expected[~inside].sum(), 1e-12) if (~inside).any() else 1.0
        actual = np.where(inside, expected * rest, actual)
        if abs(actual.sum() - expected.sum()) < LEAST_SHARE * whole:
            break
    return found


Table = dict[tuple[Any, ...], tuple[Decimal, Decimal]]


def _table(store: Store, scope: Scope, base: Window | Expected, dims: Sequence[str]) -> tuple[Table, bool, Decimal]:
    """Cost before and after by combination of values, `OTHER` for those not apart; whether it is all; the level."""
    windows = [*_earlier(scope, base), scope]
    sides = [spend_source(store, window, dims) for window in windows]
    looks = [look_at(store, spend_source(store, window, dims, exact=False)) for window in windows]
    few = max(look.groups for look in looks) <= MOST_ROWS
    found = [_combinations(store, side, ()) for side in sides] if few else []
    if not few or max(map(len, found)) > MOST_ROWS:
        costly = [_costly(store, side) for side in sides]
        kept = [Kept((key,), [id_ for side in costly for id_ in side[key]]) for key in sides[0].keys[1:]]
        found = [_combinations(store, side, kept) for side in sides]
    table: dict[tuple[Any, ...], list[Decimal]] = {}
    for side, rows in enumerate(found):
        for row in rows[:MOST_ROWS]:
            key = tuple(OTHER if row["rest"] >> number & 1 else row[f"d{number}"] for number in range(len(dims)))
            table.setdefault(key, [Decimal(0), Decimal(0)])[side == len(found) - 1] += row["usd"]
    level = _level(base, sum((pair[0] for pair in table.values()), Decimal(0)))
    scaled = {key: (pair[0] * level, pair[1]) for key, pair in table.items()}
    return scaled, max(map(len, found)) <= MOST_ROWS, level


def _earlier(scope: Scope, base: Window | Expected) -> list[Scope]:
    return scopes_of(scope, base) if isinstance(base, Expected) else [replace(scope, window=base)]


def _level(base: Window | Expected, spent: Decimal) -> Decimal:
    """What the cost of the earlier windows is multiplied with, to be what was expected."""
    if not isinstance(base, Expected):
        return Decimal(1)
    return base.usd / spent if base.usd is not None and spent else Decimal(1) / len(base.windows)


def _combinations(store: Store, source: Source, kept: Sequence[Kept]) -> list[Row]:
    """Cost of each combination, largest first, at most one more than are looked at."""
    sql = load_sql(
        "outlay_analytics.explain.sql",
        "explain_slices",
        source=folded(source, kept).sql,
        keys=", ".join((*source.keys[1:], "rest")),
    )
    return store.query(sql, {**folded(source, kept).params, "max_rows": MOST_ROWS + 1})


def _costly(store: Store, source: Source) -> dict[str, list[int]]:
    """Ids of the values of each dimension that cost much; of many alike, some."""
    keys = source.keys[1:]
    weight = "toUInt64(greatest(source.cost_usd * 1000000000, 0))"
    columns = ", ".join(f"topKWeighted({MOST_VALUES})({Groups(('time', key)).id}, {weight}) AS {key}" for key in keys)
    sql = load_sql("outlay_analytics.explain.sql", "explain_costly", source=source.sql, columns=columns)
    row = store.query(sql, source.params)[0]
    return {key: list(row[key]) for key in keys}


def _change(store: Store, scope: Scope, base: Window | Expected, where: Mapping[str, str], level: Decimal) -> Decimal:
    """The exact change of a slice."""
    inside = replace(scope, filters={**scope.filters, **{name: (value,) for name, value in where.items()}})
    costs = []
    for one in (*_earlier(inside, base), inside):
        source = spend_source(store, one)
        rows = store.query(load_sql("outlay_analytics.query.sql", "history", source=source.sql), source.params)
        costs.append(sum((row["usd"] for row in rows), Decimal(0)))
    return costs[-1] - sum(costs[:-1], Decimal(0)) * level


def _simplified(keys: Sequence[tuple[Any, ...]], dims: Sequence[str]) -> tuple[list[tuple[Any, ...]], list[str]]:
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
