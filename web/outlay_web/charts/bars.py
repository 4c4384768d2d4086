"""Stacked bars over time, with a y axis in money, anomaly markers and an optional line for the window before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from markupsafe import Markup

from outlay_web import format as fmt
from outlay_web.charts import happened
from outlay_web.charts.figure import Figure, Key, canvas
from outlay_web.charts.frame import BOTTOM, TOP, frame, time_labels
from outlay_web.charts.happened import Marker, Stretch
from outlay_web.charts.scale import Bucket, axis
from outlay_web.charts.series import Series, amount_text, twin
from outlay_web.charts.svg import el, join, percent


def stacked_bars(
    name: str,
    title: str,
    steps: Sequence[Bucket],
    series: Sequence[Series],
    *,
    kind: str = "usd",
    unit: Callable[[float], str] = fmt.usd_short,
    markers: Sequence[Marker] = (),
    stretches: Sequence[Stretch] = (),
    step_href: Callable[[Bucket], str] | None = None,
    height: int = 250,
    timezone: str = "UTC",
    step_title: str = "Time",
) -> Figure:
    """Bars per step, stacked by series in the order given, the first at the bottom.

    Args:
        kind: Kind of the table's columns.
        unit: Text of the axis labels.
        step_href: Where a step is explained.
    """
    totals = [sum((_float(s.values[i]) for s in series), 0.0) for i in range(len(steps))]
    scale = axis(0, max(totals, default=0.0))
    tall = height - TOP - BOTTOM
    width = 1 / max(len(steps), 1)
    gap = 0.12 if len(steps) <= 100 else 0.0
    base = [0.0] * len(steps)
    layers: list[Markup] = []
    for one in series:
        rects = []
        for i in range(len(steps)):
            value = _float(one.values[i])
            size = scale.share(value) * tall
            if value <= 0:
                continue
            top = tall - scale.share(base[i]) * tall - size
            rects.append(
                el(
                    "rect",
                    x=percent((i + gap / 2) * width),
                    y=top,
                    width=percent(width * (1 - gap)),
                    height=size,
                    data_i=i,
                )
            )
            base[i] += value
        layers.append(el("g", join(rects), class_=f"layer s{one.slot}{' thin' if gap == 0 else ''}", data_s=one.label))
    marks = [
        el(
            "g",
            el("title", marker.label),
            el(
                "circle",
                cx=percent((marker.index + 0.5) * width),
                cy=max(tall - scale.share(base[marker.index]) * tall - 9, 5),
                r=4.5,
            ),
            class_="mark",
        )
        for marker in markers
        if 0 <= marker.index < len(steps) and marker.is_anomaly
    ]
    behind, heads = happened.bands(stretches, markers, len(steps), tall)
    rules = happened.changed_lines(markers, len(steps), tall)
    hits = [
        el(
            "rect",
            el("title", f"{step.label}: {amount_text(kind, totals[i])}"),
            class_="hit part" if step.part else "hit",
            x=percent(i * width),
            width=percent(width),
            y=0,
            height=tall,
        )
        for i, step in enumerate(steps)
    ]
    plot = frame(scale, tall, unit, join([*behind, *layers, *rules, *marks, *hits, *heads]), time_labels(steps, tall))
    peak = max(range(len(steps)), key=totals.__getitem__, default=0)
    desc = f"{len(steps)} steps, in total {amount_text(kind, sum(totals))}" + (
        f"; the largest is {steps[peak].label} with {amount_text(kind, totals[peak])}." if steps else "."
    )
    legend = [Key(one.label, one.slot, one.href) for one in series] + happened.keys(markers, stretches)
    notes = happened.notes(markers, stretches)
    return Figure(
        name,
        title,
        canvas(title, desc, height, plot, linked=bool(stretches), data_zoom=str(len(steps)) if step_href else "0"),
        twin(name, title, steps, series, kind, step_href, notes, timezone, step_title),
        legend,
    )


def _float(value: Decimal | float | None) -> float:
    return max(float(value), 0.0) if value is not None else 0.0
