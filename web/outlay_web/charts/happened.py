"""What happened while a chart's steps went by: lines at what was changed, bands over incidents and holidays, rings at
anomalies.

Every chart over time draws them alike, says them in its legend, and notes them in its table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from outlay_web.charts.figure import Key
from outlay_web.charts.frame import TOP
from outlay_web.charts.svg import el, percent

HEAD_PX, LANE_PX = 5, 6  # of a strip, and from one to the next where incidents overlap
LANES = 4


@dataclass(frozen=True)
class Marker:
    """Something at a step: an anomaly, what was `changed` (a deployment, a prompt version), a `holiday`."""

    index: int
    label: str
    href: str | None = None
    changed: bool = False
    holiday: bool = False

    @property
    def is_anomaly(self) -> bool:
        return not self.changed and not self.holiday


@dataclass(frozen=True)
class Stretch:
    """An incident, from its first step to its last."""

    first: int
    last: int
    label: str
    href: str


def changed_lines(markers: Sequence[Marker], steps: int, tall: float) -> list[Markup]:
    """A line down the plot at each step where something was changed."""
    return [
        el("g", el("title", one.label), el("line", x1=x, x2=x, y1=0, y2=tall), class_="changed")
        for one in markers
        if one.changed and 0 <= one.index < steps
        for x in (percent((one.index + 0.5) / steps),)
    ]


def bands(
    stretches: Sequence[Stretch], markers: Sequence[Marker], steps: int, tall: float
) -> tuple[list[Markup], list[Markup]]:
    """What lies behind the plot over each incident and holiday, and an incident's strip that leads to its page.

    Strips that would cover each other are drawn in lanes, what began first at the top.
    """
    behind = [
        el("rect", el("title", one.label), class_="holiday", x=percent(one.index / steps), y=0, height=tall, **wide)
        for one in markers
        for wide in ({"width": percent(1 / steps)},)
        if one.holiday and 0 <= one.index < steps
    ]
    heads = []
    ends = [-1] * LANES  # the last step that each lane has a strip over
    for one in sorted(stretches, key=lambda one: (one.first, -one.last)):
        lane = next((k for k, end in enumerate(ends) if end < one.first), LANES - 1)
        ends[lane] = max(ends[lane], one.last)
        place = {"x": percent(one.first / steps), "width": percent((one.last + 1 - one.first) / steps)}
        behind.append(el("rect", class_="stretch", y=0, height=tall, **place))
        strip = el("rect", class_="stretch-head", y=lane * LANE_PX - TOP, height=HEAD_PX, **place)
        heads.append(el("a", el("title", f"Incident: {one.label}"), strip, href=one.href))
    return behind, heads


def keys(markers: Sequence[Marker], stretches: Sequence[Stretch]) -> list[Key]:
    """Their entries of the legend."""
    found = []
    if any(one.is_anomaly for one in markers):
        found.append(Key("anomaly", mark="mark"))
    if stretches:
        found.append(Key("incident", mark="stretch"))
    if any(one.changed for one in markers):
        found.append(Key("something changed", mark="changed"))
    if any(one.holiday for one in markers):
        found.append(Key("holiday", mark="holiday"))
    return found


def notes(markers: Sequence[Marker], stretches: Sequence[Stretch]) -> Mapping[int, str]:
    """What the table says beside a step."""
    said: dict[int, list[str]] = defaultdict(list)
    for one in markers:
        kind = "changed" if one.changed else "holiday" if one.holiday else "anomaly"
        said[one.index].append(f"{kind}: {one.label}")
    for stretch in stretches:
        said[stretch.first].append(f"incident: {stretch.label}")
    return {index: "; ".join(texts) for index, texts in said.items()}
