"""Read what two windows say about every leaf, and turn it into the arrays that are decomposed.

A leaf is a feature's calls of one kind (first attempts, escalations, billed repeats) to one model. Requests are
counted per group: the feature, and the dimension asked for where it says who asked. Dimensions that say how a call
was served (model, tier, state …) split leaves, not groups, so that moving from one model to another is a change of
mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.shapley import PRIMARY, Cells, Floats
from outlay_analytics.shapley import Window as Side
from outlay_analytics.spend_source import spend_source
from outlay_analytics.window import Scope, Window
from outlay_collector.store import Row, Store, load_sql

SERVED = frozenset(
    (
        "provider",
        "model",
        "request_model",
        "model_tier",
        "service_tier",
        "cascade_tier",
        "route_tier",
        "cache",
        "cost_state",
        "status",
        "dialect",
    )
)
LEAF = ("feature", "operation", "repeated", "cascade_tier", "provider", "model", "cost_state")
KEY = ("feature", "embeds", "kind", "provider", "model")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Leaves:
    """Two windows over the same leaves.

    Attributes:
        part: Per leaf: value of the dimension asked for.
        rows: Per leaf: the row of the base and of the current window, None where it does not occur.
        cells, base, current: The arrays for `contributions`.
        unexplained: Per leaf: change of cost that has no tokens behind it.
    """

    part: list[str]
    rows: list[tuple[Row | None, Row | None]]
    cells: Cells
    base: Side
    current: Side
    unexplained: list[Decimal]

    def change(self, leaf: int) -> Decimal:
        """The leaf's change of cost, exact."""
        before, after = self.rows[leaf]
        return _cost(after) - _cost(before)


def read_leaves(store: Store, scope: Scope, base: Window, by: str) -> Leaves:
    """Ask the store about the window of `scope` and about `base`, leaf by leaf."""
    before, after = (read_window(store, replace(scope, window=window), by) for window in (base, scope.window))
    return build(before, after, by)


def read_window(store: Store, scope: Scope, by: str) -> list[Row]:
    """The leaves of one window."""
    source = spend_source(store, scope, (by, *LEAF))
    return store.query(load_sql("outlay_analytics.sql", "explain", source=source.sql), source.params)


def build(before: Sequence[Row], after: Sequence[Row], by: str) -> Leaves:
    """Align the rows of two windows and fill the arrays."""
    table: dict[tuple[Any, ...], list[Row | None]] = {}
    for side, rows in enumerate((before, after)):
        for row in rows:
            key = (row["part"], *(row[name] for name in KEY))
            table.setdefault(key, [None, None])[side] = row
    keys = sorted(table)
    group_keys = [(key[1], key[2]) if by in SERVED else (key[0], key[1], key[2]) for key in keys]
    groups = {group: number for number, group in enumerate(dict.fromkeys(group_keys))}
    group = np.array([groups[key] for key in group_keys], dtype=np.intp)
    kind = np.array([key[3] for key in keys], dtype=np.intp)
    pairs = [(table[key][0], table[key][1]) for key in keys]
    sides = [_side([pair[number] for pair in pairs], group, kind, len(groups)) for number in (0, 1)]
    unexplained = [_without_tokens(after) - _without_tokens(before) for before, after in pairs]
    return Leaves([str(key[0]) for key in keys], pairs, Cells(group, kind), sides[0], sides[1], unexplained)


def merged(leaves: Leaves) -> tuple[Leaves, list[int]]:
    """The same leaves by feature, and for each given leaf the number of the one that holds it."""
    sides: tuple[dict[tuple[Any, ...], Row], ...] = ({}, {})
    keys = []
    for pair in leaves.rows:
        key: tuple[Any, ...] = ()
        for side, row in zip(sides, pair, strict=True):
            if row is None:
                continue
            key = tuple(row[name] for name in KEY)
            held = side.get(key)
            side[key] = {**row, "part": row["feature"]} if held is None else _added(held, row)
        keys.append(key)
    whole = build(list(sides[0].values()), list(sides[1].values()), "feature")
    names = [tuple((pair[0] or pair[1] or {})[name] for name in KEY) for pair in whole.rows]
    number = {key: k for k, key in enumerate(names)}
    return whole, [number[key] for key in keys]


def _added(a: Row, b: Row) -> Row:
    return {name: value if name in KEY or name == "part" else value + b[name] for name, value in a.items()}


def _cost(row: Row | None) -> Decimal:
    return ZERO if row is None else row["usd"]


def _without_tokens(row: Row | None) -> Decimal:
    """The leaf's cost when there are no tokens at all behind it."""
    if row is None or row["input"] or row["output"]:
        return ZERO
    return _cost(row)


def _side(rows: Sequence[Row | None], group: Any, kind: Any, groups: int) -> Side:
    count = len(rows)
    requests, absorbed, failed = np.zeros(groups), np.zeros(groups), np.zeros(groups)
    calls, output, output_usd, other = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    tokens, lines = np.zeros((count, 4)), np.zeros((count, 4))
    for leaf, row in enumerate(rows):
        if row is None:
            continue
        if kind[leaf] == PRIMARY:
            requests[group[leaf]] += row["calls"] - row["unknown"]
            absorbed[group[leaf]] += row["cached"]
            failed[group[leaf]] += row["failed"]
        if not (row["input"] or row["output"]):
            continue
        calls[leaf] = max(row["billed"], 1)
        tokens[leaf], lines[leaf], other[leaf] = _buckets(row)
        output[leaf], output_usd[leaf] = row["output"], float(row["usd_output"])
        if not output[leaf]:
            other[leaf] += output_usd[leaf]
            output_usd[leaf] = 0.0
    return Side(requests, absorbed, failed, calls, tokens, lines, output, output_usd, other)


def _buckets(row: Row) -> tuple[Floats, Floats, float]:
    """Tokens and cost of uncached, read, write 5 m and write 1 h; and what is left of the cost beside output."""
    write_5m = max(row["cache_write"] - row["cache_write_1h"], 0)
    uncached = max(row["input"] - row["cache_read"] - row["cache_write"], 0)
    tokens = np.array([uncached, row["cache_read"], write_5m, row["cache_write_1h"]], dtype=float)
    money = [row["usd_input"], row["usd_read"], row["usd_write"], row["usd_write_1h"]]
    other = row["usd"] - sum(money, ZERO) - row["usd_output"]
    for bucket, amount in enumerate(money):
        if amount and not tokens[bucket]:  # a line whose tokens are not in the usual counts: a fee per call
            other += amount
            money[bucket] = ZERO
    return tokens, np.array([float(amount) for amount in money]), float(other)
