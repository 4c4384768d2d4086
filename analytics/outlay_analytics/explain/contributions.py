"""The change of each value of a dimension by driver, in exact money; and the drivers' totals.

The totals are those of the segments by feature, whatever dimension is asked for: how a change is broken down must not
change why it happened. Of more features or models than are kept apart all others are one there (`segments.py`), alike
for every dimension. What breaking a segment into parts does to its drivers (a move between parts looks like a change of
mix, or of requests) is given back to the parts by their cost; each part's own change stays exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.explain.segments import Segments, merged
from outlay_analytics.explain.shapley import DRIVERS, PICODOLLARS, apportion, contributions
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.dimensions import dimension_value

UNEXPLAINED = "unexplained"
NAMES = (*DRIVERS, UNEXPLAINED)
Table = dict[str | None, list[int]]  # None: all parts that are not apart
Row = dict[str, Any]


def contributions_of(segments: Segments, by: str) -> tuple[list[Row], list[Row]]:
    """The cells, largest first and without the zeros, and the drivers they add up to, exactly.

    Returns:
        `[{by, "driver", "usd"}]`, those of all parts that are not apart marked `"remainder": True`, and
        `[{"driver", "usd"}]`: all eight drivers, largest first, and `unexplained` when there is any.
    """
    parts = contributions(segments.groups, segments.base, segments.current)
    if by == "feature":
        table = _table(segments, parts)
        totals = _sums(table)
    else:
        whole, belongs = merged(segments)
        whole_parts = contributions(whole.groups, whole.base, whole.current)
        table = _table(segments, _given_back(segments, parts, whole_parts, belongs))
        totals = _sums(_table(whole, whole_parts))
        _balance(table, totals)
    cells: list[Row] = [
        _named(by, value) | {"driver": driver, "usd": Decimal(units) / PICODOLLARS}
        for value, row in table.items()
        for driver, units in zip(NAMES, row, strict=True)
        if units
    ]
    cells.sort(key=lambda cell: (-abs(cell["usd"]), str(cell[by]), cell["driver"]))
    return cells, _drivers(totals)


def _named(by: str, value: str | None) -> Row:
    return {by: None, "remainder": True} if value is None else {by: dimension_value(by, value)}


def _table(segments: Segments, parts: Floats) -> Table:
    """Picodollars by value of the dimension, one number per driver; rows add up to the value's change."""
    floats: dict[str | None, list[float]] = defaultdict(lambda: [0.0] * len(DRIVERS))
    explained: dict[str | None, Decimal] = defaultdict(Decimal)
    unexplained: dict[str | None, Decimal] = defaultdict(Decimal)
    for segment, value in enumerate(segments.part):
        sums = floats[value]
        for driver, usd in enumerate(parts[segment]):
            sums[driver] += float(usd)
        explained[value] += segments.change(segment) - segments.unexplained[segment]
        unexplained[value] += segments.unexplained[segment]
    return {
        value: [
            *apportion(_without_dust(sums), int(explained[value] * PICODOLLARS)),
            int(unexplained[value] * PICODOLLARS),
        ]
        for value, sums in floats.items()
    }


def _given_back(segments: Segments, parts: Floats, whole_parts: Floats, belongs: Sequence[int]) -> Floats:
    """`parts` moved so that those of one whole segment add up to its drivers, shared out by cost."""
    index = np.array(belongs, dtype=np.intp)
    cost = np.array([float(sum(row["usd"] for row in pair if row is not None)) for pair in segments.rows])
    held, sums = np.zeros(len(whole_parts)), np.zeros_like(whole_parts)
    np.add.at(held, index, cost)
    np.add.at(sums, index, parts)
    share = np.divide(cost, held[index], out=np.zeros(len(cost)), where=held[index] > 0)
    moved: Floats = parts + share[:, None] * (whole_parts - sums)[index]
    return moved


def _balance(table: Table, totals: Sequence[int]) -> None:
    """Let the largest row take what rounding left over, so that columns add up too; its own sum does not change."""
    if table:
        largest = max(table.values(), key=lambda row: sum(abs(units) for units in row))
        for driver, (want, have) in enumerate(zip(totals, _sums(table), strict=True)):
            largest[driver] += want - have


def _sums(table: Table) -> list[int]:
    return [sum(row[driver] for row in table.values()) for driver in range(len(NAMES))]


def _drivers(totals: Sequence[int]) -> list[Row]:
    shown = [
        (number, driver, units)
        for number, (driver, units) in enumerate(zip(NAMES, totals, strict=True))
        if driver != UNEXPLAINED or units
    ]
    shown.sort(key=lambda one: (-abs(one[2]), one[0]))
    return [{"driver": driver, "usd": Decimal(units) / PICODOLLARS} for _, driver, units in shown]


def _without_dust(sums: Sequence[float]) -> list[float]:
    """What is only floating-point noise beside the largest part becomes a true zero."""
    largest = max(abs(value) for value in sums)
    return [0.0 if abs(value) < 1e-13 * largest else value for value in sums]
