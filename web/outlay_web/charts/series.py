"""What charts over time show: series of values, and the table with the same figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from outlay_analytics.query.text import rfc3339
from outlay_web import format as fmt
from outlay_web.charts.scale import Bucket
from outlay_web.charts.table import Cell, Column, Table


@dataclass(frozen=True)
class Series:
    """One layer of a stack: a value per step, None where unknown."""

    label: str
    values: Sequence[Decimal | float | None]
    slot: int
    href: str | None = None


def twin(
    name: str,
    title: str,
    steps: Sequence[Bucket],
    series: Sequence[Series],
    kind: str,
    step_href: Callable[[Bucket], str] | None,
    notes: Mapping[int, str] | None = None,
    timezone: str = "UTC",
    step_title: str = "Time",
    *,
    total: bool = True,
) -> Table:
    """The values of a chart as a table; `total` adds their sum where there are several series."""
    one = len(series) == 1 or not total
    notes = notes or {}
    columns = [Column(step_title, "text", "time")]
    if not one:
        columns.append(Column("Total", kind, "total"))
    columns += [Column(s.label, kind, s.label) for s in series]
    rows = []
    for i, step in enumerate(steps):
        values = [s.values[i] for s in series]
        known = [value for value in values if value is not None]
        note = f"{'part' if step.part else ''} {notes.get(i, '')}".strip()
        label = Markup('<time datetime="{}">{}</time>').format(rfc3339(step.start), step.label)
        cells = [Cell(step.start, step_href(step) if step_href else None, note=note, label=label)]
        if not one:
            cells.append(Cell(sum(known, type(known[0])(0)) if known else None))
        cells += [Cell(value, slot=s.slot) for value, s in zip(values, series, strict=True)]
        rows.append(cells)
    return Table(name, title, columns, rows, light=True, timezone=timezone)


def amount_text(kind: str, value: float) -> str:
    """An amount of a chart in words."""
    if kind == "usd":
        return fmt.usd_text(Decimal(repr(value)))
    return fmt.tokens_text(value) if kind == "tokens" else fmt.count_text(value)
