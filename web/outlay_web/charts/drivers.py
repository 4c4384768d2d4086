"""A driver waterfall: from one total through signed steps to another, one row per step so that labels have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from outlay_web import format as fmt
from outlay_web.charts.figure import Figure, Key, canvas
from outlay_web.charts.svg import el, join, percent
from outlay_web.charts.table import Cell, Column, Table

ROW = 28


@dataclass(frozen=True)
class Step:
    """One driver: what it is called, how much it moved the total, where that is explained."""

    label: str
    amount: Decimal
    href: str | None = None
    hint: str = ""


def driver_waterfall(
    name: str, title: str, base: tuple[str, Decimal], steps: Sequence[Step], current: tuple[str, Decimal]
) -> Figure:
    """Rows from the base through every driver to the current total.

    The axis begins near the smallest running total when the change is small beside the totals; the two total rows then
    have a torn edge, and the description says so.
    """
    running = [base[1]]
    for step in steps:
        running.append(running[-1] + step.amount)
    low, high = min(running), max([*running, current[1]])
    spread = high - low
    cut = low > 0 and spread < low * Decimal("0.6")
    start = max(low - spread * Decimal("0.35"), Decimal(0)) if cut else min(low, Decimal(0))
    span = (high - start) or Decimal(1)

    def at(amount: Decimal) -> float:
        return float((amount - start) / span)

    rows: list[tuple[str, Decimal | None, Decimal, str]] = [(base[0], None, base[1], "total")]
    rows += [
        (step.label, step.amount, running[i + 1], "up" if step.amount > 0 else "down") for i, step in enumerate(steps)
    ]
    rows.append((current[0], None, current[1], "total"))
    largest = max(abs(base[1]), abs(current[1]))
    out, bars = [], []
    for i, (label, amount, after, kind) in enumerate(rows):
        y = i * ROW
        before = after - amount if amount is not None else start
        left, right = sorted((at(before), at(after)))
        shown = fmt.usd_text(after) if amount is None else fmt.usd_beside(amount, largest, signed=True)
        out.append(el("text", label, x=0, y=y + 18, class_="row-label strong" if amount is None else "row-label"))
        out.append(el("text", shown, x="100%", y=y + 18, text_anchor="end", class_=f"row-amount {kind}"))
        bars.append(
            el(
                "g",
                el("title", f"{label}: {shown}"),
                el(
                    "rect",
                    x=percent(left),
                    y=y + 5,
                    width=percent(max(right - left, 0.0015)),
                    height=ROW - 10,
                    rx=1.5,
                    class_=f"fall {kind}",
                ),
                class_="hit-bar",
            )
        )
        if i + 1 < len(rows):
            bars.append(
                el("line", x1=percent(at(after)), x2=percent(at(after)), y1=y + ROW - 5, y2=y + ROW + 5, class_="joint")
            )
        if amount is None and cut:
            bars.append(el("path", d=f"M8 {y + 4}l-4 5l4 5l-4 5l4 5", class_="tear"))
    plot = el("svg", join(bars), class_="fall-plot", width="100%", height=len(rows) * ROW, overflow="visible")
    change = current[1] - base[1]
    biggest = max(steps, key=lambda step: abs(step.amount), default=None)
    desc = (
        f"From {fmt.usd_text(base[1])} to {fmt.usd_text(current[1])}, a change of {fmt.usd_text(change, signed=True)}"
    )
    if biggest is not None and biggest.amount:
        desc += f"; the largest driver is {biggest.label} with {fmt.usd_text(biggest.amount, signed=True)}"
    desc += ". The axis does not begin at zero." if cut else "."
    svg = canvas(title, desc, len(rows) * ROW, *out, plot, class_="chart fall-chart")
    columns = [
        Column("Driver", "text", "driver"),
        Column("Change", "delta_usd", "usd"),
        Column("Running total", "usd", "running_usd"),
    ]
    lines = [[Cell(base[0]), Cell(None), Cell(base[1])]]
    lines += [
        [Cell(step.label, step.href, note=step.hint), Cell(step.amount), Cell(running[i + 1])]
        for i, step in enumerate(steps)
    ]
    lines.append([Cell(current[0]), Cell(change), Cell(current[1])])
    legend = [Key("more", mark="up"), Key("less", mark="down")]
    note = "The axis does not begin at zero." if cut else ""
    return Figure(name, title, svg, Table(name, title, columns, lines, sortable=False), legend, note)
