"""A chart as a page shows it: drawing, legend, table twin, CSV link. Charts return one; the template places it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from outlay_web.charts.svg import Child, el, unique
from outlay_web.charts.table import Table

OTHER = 8
"""Slot of what is not shown by itself: `other`."""


@dataclass(frozen=True)
class Key:
    """One entry of a legend."""

    label: str
    slot: int | None = None
    href: str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart: `svg` with title and description, its legend, and the same numbers as a table."""

    name: str
    title: str
    svg: Markup
    table: Table
    legend: Sequence[Key] = field(default_factory=tuple)
    note: str | Markup = ""


def canvas(
    title: str,
    desc: str,
    height: float,
    *children: Child,
    class_: str = "chart framed",
    linked: bool = False,
    **attributes: str,
) -> Markup:
    """The outer element: full width, fixed height, so that text keeps its size on every screen.

    Args:
        linked: Whether links are in it: then it is no picture, whose inside is hidden from who cannot see it.
    """
    title_id, desc_id = unique("t"), unique("d")
    return el(
        "svg",
        el("title", title, id=title_id),
        el("desc", desc, id=desc_id),
        *children,
        class_=class_,
        role="group" if linked else "img",
        aria_labelledby=title_id,
        aria_describedby=desc_id,
        width="100%",
        height=height,
        **attributes,
    )
