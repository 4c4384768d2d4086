"""A heatmap: hours of the day against days, each cell in one of six strengths of one color."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from outlay_web import format as fmt
from outlay_web.charts.figure import Figure, Key, canvas
from outlay_web.charts.svg import el, join, percent
from outlay_web.charts.table import Cell, Column, Table

ROW = 11
LEVELS = 6


def hour_heatmap(
    name: str, title: str, days: Sequence[date], values: Mapping[tuple[date, int], Decimal], *, height_row: int = ROW
) -> Figure:
    """Spend by hour of the day (rows) and day (columns). Cells without a value stay empty."""
    known = sorted(value for value in values.values() if value > 0)
    cuts = [known[min(len(known) * k // LEVELS, len(known) - 1)] for k in range(1, LEVELS)] if known else []
    width = 1 / max(len(days), 1)
    cells = []
    for i, day in enumerate(days):
        for hour in range(24):
            value = values.get((day, hour))
            if value is None or value <= 0:
                continue
            level = sum(value >= cut for cut in cuts)
            label = f"{day:%a} {day.day} {day:%b} {hour:02}:00: {fmt.usd_text(value)}"
            cells.append(
                el(
                    "rect",
                    el("title", label),
                    x=percent(i * width),
                    y=hour * height_row,
                    width=percent(width * 0.94),
                    height=height_row - 1,
                    rx=1.5,
                    class_=f"h{level} cell",
                )
            )
    out = [
        el("text", f"{hour:02}:00", x=-8, y=10 + hour * height_row + 9, text_anchor="end", class_="tick")
        for hour in (0, 6, 12, 18)
    ]
    every = max(1, -(-len(days) // 9))
    bottom = 24 * height_row
    labels = [
        el(
            "text",
            f"{day.day} {day:%b}",
            x=percent((i + 0.5) * width),
            y=bottom + 15,
            text_anchor="middle",
            class_="tick minor" if (i // every) % 3 else "tick",
        )
        for i, day in enumerate(days)
        if i % every == 0
    ]
    plot = el(
        "svg",
        join(cells),
        join(labels),
        class_="plot",
        y=10,
        width="100%",
        height=bottom + 22,
        overflow="visible",
    )
    peak = max(values, key=lambda key: values[key], default=None)
    desc = (
        f"{len(days)} days by hour; the strongest hour is {peak[0]:%a} {peak[0].day} {peak[0]:%b} {peak[1]:02}:00 "
        f"with {fmt.usd_text(values[peak])}."
        if peak is not None
        else "No values."
    )
    columns = [Column("Day", "text", "day"), *(Column(f"{hour:02}", "usd", f"{hour:02}:00") for hour in range(24))]
    rows = [
        [
            Cell(day.isoformat(), label=f"{day:%a} {day.day} {day:%b}"),
            *(Cell(values.get((day, hour))) for hour in range(24)),
        ]
        for day in days
    ]
    legend = [
        Key("less", mark="h0"),
        *(Key("", mark=f"h{k}") for k in range(1, LEVELS - 1)),
        Key("more", mark=f"h{LEVELS - 1}"),
    ]
    return Figure(
        name, title, canvas(title, desc, bottom + 34, *out, plot), Table(name, title, columns, rows, light=True), legend
    )
