"""Why did spend change: by driver, by slice, in sentences, with traces to look at.

`explain` reads one roll-up per window, decomposes the change exactly (`shapley.py`), searches for the slice it
happened in (`drill.py`) and says what it found (`sentences.py`).

Drivers: `requests` (logical requests), `escalation` (calls at cascade tier 1 and above), `retries` (billed repeats,
and first attempts that nobody billed), `model_mix`, `input_tokens` and `output_tokens` per call, `cache_share` (of
the provider's cache and of the application's own), `unit_price` (effective price per token and fees per call), and
`unexplained` only where a cost has no tokens behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.drill import drill
from outlay_analytics.examples import examples
from outlay_analytics.leaves import Leaves, read_leaves
from outlay_analytics.sentences import sentences
from outlay_analytics.shapley import (
    DRIVERS,
    PICODOLLARS,
    apportion,
    contributions,
    decompose,
)
from outlay_analytics.slices import find_slices
from outlay_analytics.spend import spend
from outlay_analytics.window import BadRequest, Scope, Window, check_dimension, dimension_value
from outlay_collector.store import Row, Store

__all__ = ["changes", "decompose", "drill", "explain"]

UNEXPLAINED = "unexplained"
ZERO = Decimal(0)


def explain(store: Store, scope: Scope, base: Window | None = None, by: str = "feature") -> dict[str, Any]:
    """Explain the change of spend from `base` to the window of `scope`.

    Args:
        store: The store.
        scope: Current window, filters (applied to both windows), project, time zone.
        base: What it is compared with; by default the window of the same length just before.
        by: Dimension of the cells.

    Returns:
        `base` and `current` (measures as in spend), `change_usd`, `drivers` (all eight, largest first; money adds up to
        `change_usd` exactly), `cells` (`{by, driver, usd}`, adding up likewise), `slices` (`where`, `change_usd`,
        `share`), `sentences` and `examples` (trace ids).

    Raises:
        BadRequest: If `by` is not a dimension.
    """
    check_dimension(by, "by")
    before = base or scope.window.previous()
    if before.start >= before.end or scope.window.start >= scope.window.end:
        raise BadRequest("explain needs two windows that are not empty")
    leaves = read_leaves(store, scope, before, by)
    cells = cells_of(leaves, by)
    drivers = total_drivers(cells)
    change = sum((driver["usd"] for driver in drivers), ZERO)
    calls = sum(row["calls"] for pair in leaves.rows for row in pair if row is not None)
    slices = find_slices(store, scope, before, change, calls)
    base_measures = _measures(store, replace(scope, window=before), leaves, 0)
    current_measures = _measures(store, scope, leaves, 1)
    return {
        "base": base_measures,
        "current": current_measures,
        "change_usd": change,
        "drivers": drivers,
        "cells": cells,
        "slices": slices,
        "sentences": sentences(leaves, cells, drivers, slices, by, scope.window, before),
        "examples": examples(store, scope, before, by, cells, slices, change),
    }


def changes(store: Store, scope: Scope, base: Window) -> tuple[list[dict[str, Any]], list[str]]:
    """Only the drivers (largest first) and the sentences, for alerts and reports."""
    leaves = read_leaves(store, scope, base, "feature")
    cells = cells_of(leaves, "feature")
    drivers = total_drivers(cells)
    return drivers, sentences(leaves, cells, drivers, [], "feature", scope.window, base)


def cells_of(leaves: Leaves, by: str) -> list[dict[str, Any]]:
    """Each value's change by driver in exact money, largest first; without the zeros."""
    parts = contributions(leaves.cells, leaves.base, leaves.current)
    floats: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(DRIVERS))
    explained: dict[str, Decimal] = defaultdict(Decimal)
    unexplained: dict[str, Decimal] = defaultdict(Decimal)
    for leaf, value in enumerate(leaves.part):
        sums = floats[value]
        for driver, usd in enumerate(parts[leaf]):
            sums[driver] += float(usd)
        explained[value] += leaves.change(leaf) - leaves.unexplained[leaf]
        unexplained[value] += leaves.unexplained[leaf]
    cells = []
    for value, sums in floats.items():
        whole = apportion(_without_dust(sums), int(explained[value] * PICODOLLARS))
        amounts = [Decimal(units) / PICODOLLARS for units in whole] + [unexplained[value]]
        shown = dimension_value(by, value)
        cells += [
            {by: shown, "driver": driver, "usd": usd}
            for driver, usd in zip((*DRIVERS, UNEXPLAINED), amounts, strict=True)
            if usd
        ]
    return sorted(cells, key=lambda cell: (-abs(cell["usd"]), str(cell[by]), cell["driver"]))


def _without_dust(sums: Sequence[float]) -> list[float]:
    """What is only floating-point noise beside the largest part becomes a true zero."""
    largest = max(abs(value) for value in sums)
    return [0.0 if abs(value) < 1e-13 * largest else value for value in sums]


def total_drivers(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All eight drivers, largest first, and `unexplained` when there is any."""
    sums: dict[str, Decimal] = dict.fromkeys(DRIVERS, ZERO)
    for cell in cells:
        sums[cell["driver"]] = sums.get(cell["driver"], ZERO) + cell["usd"]
    if not any(cell["driver"] == UNEXPLAINED for cell in cells):
        sums.pop(UNEXPLAINED, None)
    order = {driver: number for number, driver in enumerate((*DRIVERS, UNEXPLAINED))}
    return [
        {"driver": driver, "usd": usd} for driver, usd in sorted(sums.items(), key=lambda d: (-abs(d[1]), order[d[0]]))
    ]


def _measures(store: Store, scope: Scope, leaves: Leaves, side: int) -> dict[str, Any]:
    """The window's measures; its cost is the one that was decomposed, should calls have arrived in between."""
    total: dict[str, Any] = dict(spend(store, scope)["total"])
    if total.get("cost_usd") is not None:
        total["cost_usd"] = sum((_row_cost(pair[side]) for pair in leaves.rows), ZERO)
    return total


def _row_cost(row: Row | None) -> Decimal:
    return ZERO if row is None else row["usd"]
