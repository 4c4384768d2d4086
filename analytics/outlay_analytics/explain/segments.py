"""Read what two windows say about every segment, and turn it into the arrays that are decomposed.

A segment is a feature's calls of one kind (first attempts, escalations, billed repeats) to one model. Requests are
counted per group: the feature, and the dimension asked for where it says who asked. Dimensions that say how a call
was served (model, tier, state …) split segments, not groups, so that moving from one model to another is a change of
mix.

However many features, models or values of the dimension there are, segments are bounded: of each the largest of both
windows stay apart, all others are one. Features and models are chosen alike whatever dimension is asked for, so that
the drivers' totals stay the same; they are exact for the whole, and what moved between the others is told as the
change of their averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.explain.expected import Expected, expected_rows, scopes_of
from outlay_analytics.explain.shapley import PRIMARY, Groups
from outlay_analytics.explain.shapley import Window as Side
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.folding import Kept, folded, largest
from outlay_analytics.query.groups import look_at
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Window
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
OTHER_PARTS, OTHER_FEATURES, OTHER_MODELS = 1, 2, 4  # bits of `rest`: what a segment holds all others of
MOST_VALUES = 100  # of features, models and parts each
FEWER_PARTS = (100, 25, 6)
MOST_ROWS = 10_000
TRIED_ROWS = 2_000  # as many segments are read before it is asked which values are the largest
ALL_ROWS = 10**9
ZERO = Decimal(0)


@dataclass(frozen=True)
class Segments:
    """Two windows over the same segments.

    Attributes:
        part: Per segment: value of the dimension asked for, empty where unknown; None for all that are not apart.
        rows: Per segment: the row of the base and of the current window, None where it does not occur.
        groups, base, current: The arrays for `contributions`.
        unexplained: Per segment: change of cost that has no tokens behind it.
    """

    part: list[str | None]
    rows: list[tuple[Row | None, Row | None]]
    groups: Groups
    base: Side
    current: Side
    unexplained: list[Decimal]

    def change(self, segment: int) -> Decimal:
        """The segment's change of cost, exact."""
        before, after = self.rows[segment]
        return _cost(after) - _cost(before)


def read_segments(store: Store, scope: Scope, base: Window | Expected, by: str) -> Segments:
    """Ask the store about the window of `scope` and about `base`, segment by segment."""
    earlier = scopes_of(scope, base) if isinstance(base, Expected) else [replace(scope, window=base)]
    sides = (*earlier, scope)
    found = None
    if all(_look(store, side, by) <= TRIED_ROWS for side in sides):
        found = _read(store, sides, by, [], TRIED_ROWS)
    if found is None or _many(found):
        found = _read_bounded(store, sides, by)
    before = expected_rows(found[:-1], base.usd) if isinstance(base, Expected) else found[0]
    return build(before, found[-1], by)


def _look(store: Store, scope: Scope, by: str) -> int:
    """About how many segments a window has."""
    return look_at(store, spend_source(store, scope, (by, *LEAF), exact=False)).groups


def _read_bounded(store: Store, sides: Sequence[Scope], by: str) -> list[list[Row]]:
    """The segments of some windows, the largest values apart."""
    own = () if by == "feature" else ((by,),)
    ids = largest(store, sides, (("feature",), ("provider", "model"), *own), MOST_VALUES)
    others = [Kept(("d1",), ids[0]), Kept(("d5", "d6"), ids[1])]
    parts = ids[2] if own else ids[0]
    for most in FEWER_PARTS:
        if own and most < MOST_VALUES:
            parts = largest(store, sides, own, most)[0]
        found = _read(store, sides, by, [Kept(("d0",), parts), *others])
        if found is not None:
            return found
    found = _read(store, sides, by, [Kept(("d0",), parts), *others], max_rows=None)
    assert found is not None
    return found


def _read(
    store: Store, sides: Sequence[Scope], by: str, kept: Sequence[Kept], max_rows: int | None = MOST_ROWS
) -> list[list[Row]] | None:
    """The segments of some windows; None where one of them has more than `max_rows`."""
    found = []
    for scope in sides:
        source = folded(spend_source(store, scope, (by, *LEAF)), kept)
        sql = load_sql("outlay_analytics.explain.sql", "explain", source=source.sql)
        rows = store.query(sql, {**source.params, "max_rows": ALL_ROWS if max_rows is None else max_rows + 1})
        if max_rows is not None and len(rows) > max_rows:
            return None
        found.append(rows)
    return found


def _many(sides: Sequence[Sequence[Row]]) -> bool:
    """Whether there are more values of something than are kept apart."""
    rows = [row for side in sides for row in side]
    keys = (("part",), ("feature",), ("provider", "model"))
    return any(len({tuple(row[name] for name in key) for row in rows}) > MOST_VALUES for key in keys)


def build(before: Sequence[Row], after: Sequence[Row], by: str) -> Segments:
    """Align the rows of two windows and fill the arrays."""
    table: dict[tuple[Any, ...], list[Row | None]] = {}
    for side, rows in enumerate((before, after)):
        for row in rows:
            key = (row["part"], *_key(row))
            table.setdefault(key, [None, None])[side] = row
    keys = sorted(table)
    group_keys = [_group(key, by) for key in keys]
    groups = {group: number for number, group in enumerate(dict.fromkeys(group_keys))}
    group = np.array([groups[key] for key in group_keys], dtype=np.intp)
    kind = np.array([key[3] for key in keys], dtype=np.intp)
    pairs = [(table[key][0], table[key][1]) for key in keys]
    sides = [_side([pair[number] for pair in pairs], group, kind, len(groups)) for number in (0, 1)]
    unexplained = [_without_tokens(after) - _without_tokens(before) for before, after in pairs]
    parts = [None if key[-1] & OTHER_PARTS else str(key[0]) for key in keys]
    return Segments(parts, pairs, Groups(group, kind), sides[0], sides[1], unexplained)


def _key(row: Row) -> tuple[Any, ...]:
    """What tells a segment apart, beside its part; last the bits of `rest`."""
    return *(row[name] for name in KEY), row.get("rest", 0)


def _group(key: tuple[Any, ...], by: str) -> tuple[Any, ...]:
    """Whose requests a segment's calls answer: its feature's and, where the dimension says who asked, its part's."""
    part, feature, embeds, rest = key[0], key[1], key[2], key[-1]
    if by in SERVED:
        return feature, embeds, rest & OTHER_FEATURES
    return part, feature, embeds, rest & (OTHER_PARTS | OTHER_FEATURES)


def merged(segments: Segments) -> tuple[Segments, list[int]]:
    """The same segments by feature, and for each given segment the number of the one that holds it."""
    sides: tuple[dict[tuple[Any, ...], Row], ...] = ({}, {})
    keys = []
    for pair in segments.rows:
        key: tuple[Any, ...] = ()
        for side, row in zip(sides, pair, strict=True):
            if row is None:
                continue
            row = _by_feature(row)
            key = _key(row)
            held = side.get(key)
            side[key] = row if held is None else _added(held, row)
        keys.append(key)
    whole = build(list(sides[0].values()), list(sides[1].values()), "feature")
    names = [_key(pair[0] or pair[1] or {}) for pair in whole.rows]
    number = {key: k for k, key in enumerate(names)}
    return whole, [number[key] for key in keys]


def _by_feature(row: Row) -> Row:
    """A row as it is where the feature is the part."""
    rest = row.get("rest", 0) & (OTHER_FEATURES | OTHER_MODELS)
    return {**row, "part": row["feature"], "rest": rest | (OTHER_PARTS if rest & OTHER_FEATURES else 0)}


def _added(a: Row, b: Row) -> Row:
    return {name: value if name in (*KEY, "part", "rest") else value + b[name] for name, value in a.items()}


def _cost(row: Row | None) -> Decimal:
    return ZERO if row is None else row["usd"]


def _without_tokens(row: Row | None) -> Decimal:
    """The segment's cost when there are no tokens at all behind it."""
    if row is None or row["input"] or row["output"]:
        return ZERO
    return _cost(row)


def _side(rows: Sequence[Row | None], group: Any, kind: Any, groups: int) -> Side:
    count = len(rows)
    requests, absorbed, failed = np.zeros(groups), np.zeros(groups), np.zeros(groups)
    calls, output, output_usd, other = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    tokens, lines = np.zeros((count, 4)), np.zeros((count, 4))
    for segment, row in enumerate(rows):
        if row is None:
            continue
        if kind[segment] == PRIMARY:
            requests[group[segment]] += row["calls"] - row["unknown"]
            absorbed[group[segment]] += row["cached"]
            failed[group[segment]] += row["failed"]
        if not (row["input"] or row["output"]):
            continue
        calls[segment] = max(row["billed"], 1)
        tokens[segment], lines[segment], other[segment] = _buckets(row)
        output[segment], output_usd[segment] = row["output"], float(row["usd_output"])
        if not output[segment]:
            other[segment] += output_usd[segment]
            output_usd[segment] = 0.0
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
