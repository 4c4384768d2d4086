"""Why did spend change: by driver, by slice, in sentences, with traces to look at.

`explain` reads one roll-up per window, decomposes the change exactly (`shapley.py`), searches for the slice it
happened in (`drilldown.py`) and says what it found (`narrative.py`).

Drivers: `requests` (logical requests), `escalation` (calls at cascade tier 1 and above), `retries` (billed repeats,
and first attempts that nobody billed), `model_mix`, `input_tokens` and `output_tokens` per call, `cache_share` (of
the provider's cache and of the application's own), `unit_price` (effective price per token and fees per call), and
`unexplained` only where a cost has no tokens behind it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.explain.contributions import contributions_of
from outlay_analytics.explain.exemplars import examples
from outlay_analytics.explain.expected import Expected, measures_of, scopes_of
from outlay_analytics.explain.narrative import Sums, sentences
from outlay_analytics.explain.segments import Segments, read_segments
from outlay_analytics.explain.slices import find_slices
from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.spend import spend
from outlay_collector.store import Row, Store

__all__ = ["changes", "explain", "outline"]

ZERO = Decimal(0)


def explain(store: Store, scope: Scope, base: Window | Expected | None = None, by: str = "feature") -> dict[str, Any]:
    """Explain the change of spend from `base` to the window of `scope`.

    Args:
        store: The store.
        scope: Current window, filters (applied to both windows), project, time zone.
        base: What it is compared with, another window or what was expected; by default the time just before.
        by: Dimension of the cells.

    Returns:
        `base` and `current` (measures as in spend), `change_usd`, `drivers` (all eight, largest first; money adds up to
        `change_usd` exactly, whatever `by` is), `cells` (`{by, driver, usd}`, adding up likewise; of many values the
        largest, all others marked `remainder`), `slices` (`where`, `change_usd`, `share`), `sentences` and `examples`
        (trace ids). Where a window has calls of which none has a known cost, the change is not known either:
        `change_usd` is None, and nothing is said to have moved it.

    Raises:
        BadRequest: If `by` is not a dimension.
    """
    check_dimension(by, "by")
    before = base or scope.window.previous()
    first = before.windows[0] if isinstance(before, Expected) else before
    if first.start >= first.end or scope.window.start >= scope.window.end:
        raise BadRequest("explain needs two windows that are not empty")
    segments = read_segments(store, scope, before, by)
    cells, drivers, change = _moved(segments, by)
    calls = sum(row["calls"] for pair in segments.rows for row in pair if row is not None)
    slices = find_slices(store, scope, before, change, calls) if change else []
    base_measures = (
        measures_of([spend(store, one)["total"] for one in scopes_of(scope, before)], _rows(segments, 0))
        if isinstance(before, Expected)
        else _measures(store, replace(scope, window=before), segments, 0)
    )
    current_measures = _measures(store, scope, segments, 1)
    return {
        "base": base_measures,
        "current": current_measures,
        "change_usd": change,
        "drivers": drivers,
        "cells": cells,
        "slices": slices,
        "sentences": sentences(segments, cells, drivers, slices, by, scope.window, before),
        "examples": [] if change is None else examples(store, scope, first, by, cells, slices, change),
    }


def unexplained(store: Store, scope: Scope, reason: str) -> dict[str, Any]:
    """As `explain`, where there is nothing to compare with: what was spent, and why the change is not known."""
    current = spend(store, scope)["total"]
    return {
        "base": {name: 0 if name in ("calls", "errors") else None for name in current},
        "current": current,
        "change_usd": None,
        **{name: [] for name in ("drivers", "cells", "slices", "examples")},
        "sentences": [reason],
    }


def outline(store: Store, scope: Scope, base: Window | Expected, by: str = "feature") -> dict[str, Any]:
    """`change_usd`, `drivers`, `cells` and `sentences` as in `explain`, and `base` and `current` with `cost_usd calls`.

    For pages, alerts and reports: without the search for slices, examples and latencies, at a tenth of the work.
    """
    segments = read_segments(store, scope, base, by)
    cells, drivers, change = _moved(segments, by)
    before, after = ({"cost_usd": side.cost if side.known else None, "calls": side.calls} for side in _sides(segments))
    return {
        "base": before,
        "current": after,
        "change_usd": change,
        "drivers": drivers,
        "cells": cells,
        "sentences": sentences(segments, cells, drivers, [], by, scope.window, base),
    }


def changes(store: Store, scope: Scope, base: Window | Expected) -> tuple[list[dict[str, Any]], list[str]]:
    """Only the drivers (largest first) and the sentences."""
    found = outline(store, scope, base)
    return found["drivers"], found["sentences"]


def _moved(segments: Segments, by: str) -> tuple[list[Row], list[Row], Decimal | None]:
    """Cells, drivers and the change; nothing and None where a window has calls, but none of a known cost."""
    if not all(side.known for side in _sides(segments)):
        return [], [], None
    cells, drivers = contributions_of(segments, by)
    return cells, drivers, sum((driver["usd"] for driver in drivers), ZERO)


def _sides(segments: Segments) -> tuple[Sums, Sums]:
    """What the two windows hold."""
    return Sums([pair[0] for pair in segments.rows]), Sums([pair[1] for pair in segments.rows])


def _measures(store: Store, scope: Scope, segments: Segments, side: int) -> dict[str, Any]:
    """The window's measures; its cost is the one that was decomposed, should calls have arrived in between."""
    total: dict[str, Any] = dict(spend(store, scope)["total"])
    if total.get("cost_usd") is not None:
        total["cost_usd"] = sum((_row_cost(pair[side]) for pair in segments.rows), ZERO)
    return total


def _rows(segments: Segments, side: int) -> list[Row]:
    return [row for pair in segments.rows if (row := pair[side]) is not None]


def _row_cost(row: Row | None) -> Decimal:
    return ZERO if row is None else row["usd"]
