"""The frame of a chart: horizontal lines with amounts at the left, time labels below, the plot between them.

The style sheet pads the chart (class `framed`) and labels stand in the padding. Inside, x is in percent of the plot
and y in pixels: bars stretch with the screen, text does not. Lines and areas live in one more nested drawing that
stretches as a whole (`stretched`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from outlay_web.charts.scale import Axis, Bucket, labeled
from outlay_web.charts.svg import el, join, percent

TOP = 10
BOTTOM = 24
STRETCH = 1000


def frame(scale: Axis, tall: float, unit: Callable[[float], str], inside: Markup, below: Markup) -> Markup:
    """Axis labels, grid lines, the plot and what stands below it."""
    labels, lines = [], []
    for tick in scale.ticks:
        y = tall * (1 - scale.share(tick))
        labels.append(el("text", unit(tick), x=-8, y=TOP + y + 4, text_anchor="end", class_="tick"))
        lines.append(el("line", x1=0, x2="100%", y1=y, y2=y, class_="zero" if tick == 0 else "grid"))
    plot = el(
        "svg",
        join(lines),
        inside,
        below,
        class_="plot",
        y=TOP,
        width="100%",
        height=tall + BOTTOM,
        overflow="visible",
    )
    return join([*labels, plot])


def time_labels(steps: Sequence[Bucket], tall: float, *, centered: bool = True) -> Markup:
    """Labels under the steps that deserve one; on a narrow screen only some of them stay."""
    out = []
    for i, minor in labeled(steps):
        at = (i + (0.5 if centered else 0.0)) / len(steps)
        anchor = "end" if at > 0.97 else "middle"
        kind = "tick minor" if minor else "tick"
        out.append(el("text", steps[i].short, x=percent(at), y=tall + 17, text_anchor=anchor, class_=kind))
    return join(out)


def stretched(tall: float, *children: Markup) -> Markup:
    """Shapes in a coordinate system 0–1000 wide that stretches to the plot; strokes keep their width."""
    return el(
        "svg",
        *children,
        width="100%",
        height=tall,
        viewBox=f"0 0 {STRETCH} {tall:g}",
        preserveAspectRatio="none",
        overflow="visible",
    )
