"""A scatter of named points: cost against latency or quality, the size of a point a third quantity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from outlay_web import format as fmt
from outlay_web.charts.figure import Figure, Key, canvas
from outlay_web.charts.frame import BOTTOM, TOP, frame
from outlay_web.charts.scale import Axis, axis, log_axis
from outlay_web.charts.svg import el, join, percent
from outlay_web.charts.table import Table

Box = tuple[float, float, float, float]
NOMINAL_WIDTH = 420
NARROW_WIDTH = 290
LETTER = 6.4
LINE = 13


@dataclass(frozen=True)
class Point:
    """A named point; `size` decides its area, all are small where none has one."""

    label: str
    x: float
    y: float
    size: float
    slot: int
    text: str
    href: str | None = None


def scatter(
    name: str,
    title: str,
    points: Sequence[Point],
    table: Table,
    *,
    x_title: str,
    y_title: str,
    x_unit: Callable[[float], str],
    y_unit: Callable[[float], str] = fmt.usd_short,
    height: int = 250,
    log: bool = False,
    named: bool = True,
    highlight: str = "",
) -> Figure:
    """Points over two amount axes, linear from zero or logarithmic; names where there is room for them.

    Args:
        named: Whether points bear their names; `highlight` does so anyway.
    """
    tall = height - TOP - BOTTOM - 16
    across = upward = None
    if log and all(point.x > 0 and point.y > 0 for point in points):
        across = log_axis([point.x for point in points])
        upward = log_axis([point.y for point in points])
    if across is None or upward is None or min(len(across.ticks), len(upward.ticks)) < 2:  # too close for a decade
        across = axis(0, max((point.x for point in points), default=0.0), 5)
        upward = axis(0, max((point.y for point in points), default=0.0))
    most = max((point.size for point in points), default=0.0)
    dots, names = [], []
    places = [
        (
            point,
            across.share(point.x),
            tall * (1 - upward.share(point.y)),
            4 + 12 * math.sqrt(max(point.size, 0.0) / most) if most else 4.5,
        )
        for point in sorted(points, key=lambda p: -p.size)
    ]
    taken = [_around(x, y, radius) for _, x, y, radius in places]
    for point, x, y, radius in places:
        dot = el("circle", cx=percent(x), cy=y, r=radius)
        label = el("title", f"{point.label}: {point.text}")
        dots.append(el("g", label, dot, class_=f"s{point.slot} dot", data_s=point.label))
        if named or point.label == highlight:
            names.append(_name(point, x, y, radius, taken))
    plot = frame(upward, tall, y_unit, join([*dots, *names]), _below(across, tall, x_unit, x_title, y_title))
    desc = f"{len(points)} points; {x_title} to the right, {y_title} upward, larger points cost more."
    if across.log:
        desc += " Both axes are logarithmic."
    legend = [Key(point.label, point.slot, point.href) for point in points] if named and len(points) <= 12 else []
    return Figure(name, title, canvas(title, desc, height, plot), table, legend)


def _around(x: float, y: float, radius: float) -> Box:
    """What a point covers, at a usual width."""
    at = x * NOMINAL_WIDTH
    return (at - radius, y - radius, at + radius, y + radius)


def _name(point: Point, x: float, y: float, radius: float, taken: list[Box]) -> Markup:
    """The point's name beside it, or nothing where it would cover a point or a name (judged at a usual width)."""
    shown = fmt.name_text(point.label)
    long = len(shown) * LETTER
    at = x * NOMINAL_WIDTH
    left = x * NARROW_WIDTH + radius + 4 + long > NARROW_WIDTH  # so that it stays inside on a phone, too
    begin = at - radius - 4 - long if left else at + radius + 4
    box = (begin, y - LINE / 2, begin + long, y + LINE / 2)
    taken_before = any(a < box[2] and box[0] < c and b < box[3] and box[1] < d for a, b, c, d in taken)
    if taken_before:
        return Markup("")
    taken.append(box)
    anchor, gap = ("end", -radius - 4) if left else ("start", radius + 4)
    return el("text", shown, x=percent(x), dx=gap, y=y + 4, text_anchor=anchor, class_="dot-label")


def _below(across: Axis, tall: float, unit: Callable[[float], str], x_title: str, y_title: str) -> Markup:
    ticks = [
        el(
            "text",
            unit(tick),
            x=percent(across.share(tick)),
            y=tall + 17,
            text_anchor="end" if across.share(tick) > 0.97 else "middle",
            class_="tick minor" if i % 2 and len(across.ticks) > 4 else "tick",
        )
        for i, tick in enumerate(across.ticks)
    ]
    ticks.append(el("text", f"{x_title} →", x="100%", y=tall + 34, text_anchor="end", class_="tick"))
    ticks.append(el("text", f"↑ {y_title}", x=6, y=10, class_="tick"))
    return join(ticks)
