"""Spend over time on several pages: stacked bars by a dimension, and which names have a color."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_web import format as fmt
from outlay_web.charts import OTHER, Bucket, Figure, Marker, Series, stacked_bars
from outlay_web.pages import parts
from outlay_web.pages.happened import happened, step_at
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View

SHOWN_SERIES = 7
CHART_GROUPS = SHOWN_SERIES + 1  # as many names have a color, and what is left out has the last one


def ranked(rows: Sequence[Row], dimension: str) -> list[str]:
    """The names of a dimension by cost, then by calls, largest first."""
    cost: dict[str, Decimal] = {}
    calls: dict[str, int] = {}
    for row in parts.shown_rows(rows):
        key = parts.key_of(row, dimension)
        cost[key] = cost.get(key, Decimal(0)) + parts.money(row.get("cost_usd"))
        calls[key] = calls.get(key, 0) + int(row.get("calls") or 0)
    return sorted(cost, key=lambda key: (-cost[key], -calls[key], key))


def spend_figure(
    view: View,
    found: Row,
    dimension: str,
    *,
    measure: str = "cost_usd",
    name: str = "spend",
    title: str = "",
    marks: Mapping[datetime, tuple[str, str]] | None = None,
    height: int = 250,
    path: str | None = None,
) -> Figure:
    """Stacked bars of a measure over the view's steps: a color for each large name, the small ones as one.

    Args:
        found: Spend by `dimension` and the view's interval.
    """
    rows: Sequence[Row] = found["rows"]
    steps = view.steps
    index = {step.start: i for i, step in enumerate(steps)}
    names = ranked(rows, dimension)
    left_out = int(found.get("groups_left_out") or 0)
    shown = names if len(names) + left_out <= CHART_GROUPS else names[:SHOWN_SERIES]
    slots = slots_for(view, dimension, names)
    values: dict[str, list[Any]] = {key: [None] * len(steps) for key in shown}
    rest: list[Any] = [None] * len(steps)
    for row in rows:
        i = _step_of(row, index, steps)
        amount = row.get(measure)
        if i is None or amount is None:
            continue
        line = rest if row.get("remainder") else values.get(parts.key_of(row, dimension), rest)
        line[i] = amount if line[i] is None else line[i] + amount
    series = [Series(fmt.name_text(key), values[key], slots[key], view.narrowed(dimension, key, path)) for key in shown]
    if len(shown) < len(names) + left_out:
        series.append(Series(parts.others_text(len(names) + left_out - len(shown)), rest, OTHER))
    kind = "usd" if measure.endswith("_usd") else "tokens" if measure.endswith("_tokens") else "count"
    units: dict[str, Callable[[float], str]] = {"usd": fmt.usd_short, "tokens": fmt.tokens_text}
    placed: dict[int, Marker] = {}
    for at, (label, href) in (marks or {}).items():
        i = step_at(steps, at)
        if i is not None and i in placed:  # one ring for a step, the words of all
            placed[i] = Marker(i, f"{placed[i].label}; {label}", placed[i].href)
        elif i is not None:
            placed[i] = Marker(i, label, href)
    around = happened(view, steps)
    return stacked_bars(
        name,
        title or f"Spend by {parts.dimension_title(dimension)}, per {view.interval}",
        steps,
        series,
        kind=kind,
        unit=units.get(kind, _count_short),
        markers=[*around.markers, *placed.values()],
        stretches=around.stretches,
        step_href=(lambda step: view.at(step, path))
        if view.interval != "hour"
        else (lambda step: view.at(step, "/calls")),
        height=height,
        timezone=view.timezone,
    )


def _step_of(row: Row, index: Mapping[datetime, int], steps: Sequence[Bucket]) -> int | None:
    at = row.get("time")
    if not isinstance(at, datetime):
        return None
    found = index.get(at)
    if found is None:  # a step may carry the window's start as its time
        found = next((i for i, step in enumerate(steps) if step.start <= at < step.end), None)
    return found


def _count_short(value: float) -> str:
    return fmt.tokens_text(value) if value >= 10_000 else f"{value:g}"


def series_of(view: View, rows: Sequence[Row], measure: str) -> list[Any]:
    """A measure per step, summed over whatever the rows are grouped by."""
    steps = view.steps
    index = {step.start: i for i, step in enumerate(steps)}
    out: list[Any] = [None] * len(steps)
    for row in rows:
        i = _step_of(row, index, steps)
        if i is not None and row.get(measure) is not None:
            out[i] = row[measure] if out[i] is None else out[i] + row[measure]
    return out


def slots_for(view: View, dimension: str, names: Sequence[str]) -> dict[str, int]:
    """Colors of the largest names, the same on every page; the others share the last one."""
    return view.colors.slots((view.scope.project, dimension), names[:SHOWN_SERIES]) | dict.fromkeys(
        names[SHOWN_SERIES:], OTHER
    )
