"""Small drawings that stand inside text: a sparkline, a budget's bar, a span's place in its trace."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup

from outlay_web.charts.svg import el, percent, points


def sparkline(values: Sequence[Decimal | float | None], slot: int = 1) -> Markup:
    """A line without axes; decoration beside a number that says the same, so hidden from screen readers."""
    known = [float(value) for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    high = max(known) or 1.0
    step = 100 / (len(values) - 1)
    where = [(i * step, 26 - 24 * float(value) / high) for i, value in enumerate(values) if value is not None]
    area = el("polygon", points=points([(where[0][0], 28), *where, (where[-1][0], 28)]), class_="area")
    line = el("polyline", points=points(where), class_="line", vector_effect="non-scaling-stroke")
    return el(
        "svg",
        el("g", area, class_=f"s{slot}"),
        el("g", line, class_=f"k{slot}"),
        class_="spark",
        viewBox="0 0 100 28",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def budget_bar(spent: float, projected: float | None) -> Markup:
    """Shares of a budget: what is spent, what is projected, and a line where the budget ends."""
    room = max(1.0, spent, projected or 0.0) * 1.04
    kind = "over" if spent > 1 else "warn" if spent >= 0.8 or (projected or 0) > 1 else "fine"
    parts = [el("rect", class_="rail", width="100%", height=12, rx=3)]
    if projected is not None and projected > spent:
        parts.append(el("rect", class_=f"projected {kind}", width=percent(projected / room), height=12, rx=3))
    parts.append(el("rect", class_=f"spent {kind}", width=percent(spent / room), height=12, rx=3))
    parts.append(el("line", class_="limit", x1=percent(1 / room), x2=percent(1 / room), y1=-2, y2=14))
    return el("svg", *parts, class_="budget-bar", width="100%", height=12, overflow="visible", aria_hidden="true")


def span_bar(start: float, length: float, kind: str) -> Markup:
    """A span from `start` for `length`, both as shares of its trace; the row's numbers say the same."""
    start = min(max(start, 0.0), 1.0)
    length = min(max(length, 0.0), 1.0 - start)
    rail = el("line", x1=0, x2="100%", y1=8, y2=8, class_="grid")
    bar = el(
        "rect",
        x=percent(min(start, 0.996)),
        width=percent(max(length, 0.004)),
        y=2,
        height=12,
        rx=2,
        class_=f"span {kind}",
    )
    return el("svg", rail, bar, class_="span-bar", width="100%", height=16, aria_hidden="true")
