"""Tables: the twin of every chart, and every list of the pages. One object renders as HTML and as CSV.

A column's kind says how its values look, sort and export; numbers are right-aligned and carry the exact value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

from outlay_analytics.query.text import exact
from outlay_web import format as fmt
from outlay_web.charts.svg import el, percent
from outlay_web.csv_text import csv_parts

NUMERIC = frozenset(
    [
        "usd",
        "delta_usd",
        "each",
        "price",
        "count",
        "tokens",
        "duration",
        "ratio",
        "delta",
        "share",
        "priced",
        "number",
        "times",
    ]
)


@dataclass(frozen=True)
class Column:
    """A column: its title on screen, its kind, its name in CSV, and what it means.

    Kinds: text, words (a sentence, never cut), name, time, html, usd, delta_usd, each, price, count, tokens, duration,
    ratio, delta, share, number, times, interval, priced. `usd` shows cents once the column reaches a dollar, `each`
    (what one of something cost) always three digits, `price` (what a list says) all; a `delta` is a relative change
    (0.2 = 20% more), a `share` a ratio drawn as a bar, `priced` a ratio that warns below 1, an `interval` text on one
    line. `wide_only` columns need a wide screen, `desk_only` any but a phone.
    `sort_href` leads to the whole list in the column's order; `sorted` (ascending, descending) says that this is it.
    """

    title: str
    kind: str = "text"
    key: str = ""
    hint: str = ""
    wide_only: bool = False
    desk_only: bool = False
    csv_only: bool = False
    sort_href: str | None = None
    sorted: str = ""

    @property
    def numeric(self) -> bool:
        return self.kind in NUMERIC


@dataclass(frozen=True)
class Cell:
    """A value with what explains it.

    Attributes:
        value: As it came: Decimal, number, datetime, text or None.
        href: Where the value is explained.
        slot: Color of its series, 1 to 8.
        note: Small print behind it.
        label: What to show in place of the formatted value.
    """

    value: Any
    href: str | None = None
    slot: int | None = None
    note: str | Markup = ""
    label: str | Markup | None = None


@dataclass(frozen=True)
class Table:
    """Rows under columns; `light` leaves out exact titles, for long twins of charts.

    `others` is what no row shows by itself; it and `foot`, the sum of all, stay below however rows are sorted.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    others: Sequence[Cell] | None = None
    foot: Sequence[Cell] | None = None
    light: bool = False
    sortable: bool = True
    timezone: str = "UTC"
    row_classes: Sequence[str] = field(default_factory=tuple)
    _scales: dict[str, Decimal] = field(default_factory=dict, repr=False, compare=False)

    def html(self) -> Markup:
        """The table as an element, with a caption for those who cannot see where it stands."""
        head = "".join(_head(column) for column in self.columns if not column.csv_only)
        body = "".join(
            f'<tr class="{self.row_classes[i]}">{self._row(row)}</tr>'
            if self.row_classes
            else f"<tr>{self._row(row)}</tr>"
            for i, row in enumerate(self.rows)
        )
        below = [f'<tr class="{name}">{self._row(row)}</tr>' for name, row in self._below()]
        foot = f"<tfoot>{''.join(below)}</tfoot>" if below else ""
        kind = ' class="sortable"' if self.sortable and len(self.rows) > 1 else ""
        return Markup(
            f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(self.caption)}"><table{kind}>'
            f'<caption class="sr">{escape(self.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
            f"{foot}</table></div>"
        )

    def csv(self) -> str:
        """The table as CSV, what is left out by its label: an empty name is a group of its own."""
        rows = [[_plain(cell.value) for cell in row] for row in self.rows]
        if self.others is not None:
            rows.append([_plain(cell.label if cell.value is None else cell.value) for cell in self.others])
        return b"".join(csv_parts([column.key or column.title for column in self.columns], rows)).decode()

    def _below(self) -> list[tuple[str, Sequence[Cell]]]:
        return [(name, row) for name, row in (("others", self.others), ("foot", self.foot)) if row is not None]

    def _row(self, row: Sequence[Cell]) -> str:
        pairs = [pair for pair in zip(self.columns, row, strict=True) if not pair[0].csv_only]
        return "".join(self._cell(column, cell, first=i == 0) for i, (column, cell) in enumerate(pairs))

    def _cell(self, column: Column, cell: Cell, *, first: bool) -> str:
        tag, scope = ("th", ' scope="row"') if first else ("td", "")
        classes = _classes(column)
        inside = cell.label if cell.label is not None else self._shown(column, cell.value)
        text = str(escape(inside))
        if cell.href is not None:
            text = f'<a href="{escape(cell.href)}">{text}</a>'
        if cell.slot is not None:
            text = f"{swatch(cell.slot)} {text}"
        if cell.note:
            text += f' <small class="muted">{escape(cell.note)}</small>'
        value = _sort_value(cell.value)
        data = f' data-v="{escape(value)}"' if column.numeric and not self.light and value else ""
        return f"<{tag}{scope}{f' class={chr(34)}{classes}{chr(34)}' if classes else ''}{data}>{text}</{tag}>"

    def _largest(self, column: Column) -> Decimal:
        """The largest amount of a column, the foot included."""
        i = self.columns.index(column)
        rows = [*self.rows, *(row for _, row in self._below())]
        return max((abs(row[i].value) for row in rows if isinstance(row[i].value, Decimal)), default=Decimal(0))

    def _shown(self, column: Column, value: Any) -> str | Markup:
        kind = column.kind
        if kind == "html" and isinstance(value, Markup):
            return value
        if kind == "name":
            return fmt.name(value)
        if kind == "words" and value is not None:
            return fmt.words(value)
        if kind == "time":
            return fmt.instant(value, self.timezone)
        if kind in ("usd", "delta_usd"):
            if kind == "delta_usd" and value == 0:
                return Markup('<span class="muted">0</span>')
            if value == 0:
                return Markup('<span class="muted num">$0.00</span>')
            largest = self._scales.setdefault(column.title + column.key, self._largest(column)) if value else Decimal(0)
            signed = kind == "delta_usd"
            return fmt.usd_beside(value, largest) if self.light else fmt.usd(value, signed, largest)
        if kind == "each":
            return fmt.usd_each(value)
        if kind == "price":
            return fmt.price_text(value)
        if kind == "count":
            return fmt.count_text(value) if self.light else fmt.count(value)
        if kind == "tokens":
            return fmt.tokens_text(value) if self.light else fmt.tokens(value)
        if kind == "duration":
            return fmt.duration_text(value) if self.light else fmt.duration(value)
        if kind == "ratio":
            return fmt.ratio_text(value, column=True) if self.light else fmt.ratio(value, column=True)
        if kind == "priced":
            shown = fmt.ratio(value, column=True)
            return shown if value is None or value >= 1 else Markup('<span class="warn-text">{}</span>').format(shown)
        if kind == "delta":
            return delta(value)
        if kind == "share":
            return share_bar(value)
        if kind == "number":
            return fmt.UNKNOWN if value is None else f"{float(value):.3g}"
        if kind == "times":
            return fmt.times_text(value)
        return fmt.UNKNOWN if value is None else fmt.name_text(value, "")


def _classes(column: Column) -> str:
    kinds = (
        "n" if column.numeric else "",
        column.kind if column.kind in ("name", "text", "words", "interval") else "",
        "w" if column.wide_only else "",
        "d" if column.desk_only else "",
    )
    return " ".join(filter(None, kinds))


def _head(column: Column) -> str:
    classes = _classes(column)
    hint = f' title="{escape(column.hint)}"' if column.hint else ""
    named = f' class="{classes}"' if classes else ""
    order = f' aria-sort="{column.sorted}"' if column.sorted else ""
    title: str = escape(column.title)
    if column.sort_href is not None:
        title = f'<a href="{escape(column.sort_href)}">{title}</a>'
    return f'<th scope="col"{named}{order}{hint}>{title}</th>'


def swatch(slot: int) -> Markup:
    """A square of a series' color."""
    square = el("rect", width=10, height=10, rx=2, class_=f"s{slot}")
    return el("svg", square, class_="swatch", width=10, height=10, aria_hidden="true")


def share_bar(share: float | Decimal | None) -> Markup:
    """A ratio 0–1 as a short bar with its percentage."""
    if share is None:
        return Markup(fmt.UNKNOWN)
    width = min(max(float(share), 0.0), 1.0)
    bar = el("rect", class_="share", width=percent(width), height=8, y=1, rx=2)
    rail = el("rect", class_="rail", width="100%", height=8, y=1, rx=2)
    drawn = el("svg", rail, bar, class_="bar", width=64, height=10, aria_hidden="true")
    return Markup("{}{}").format(fmt.ratio_text(share, column=True), drawn)


def delta(change: float | Decimal | None, *, good: str = "down") -> Markup:
    """A relative change with its direction; growth of a cost is marked, not judged."""
    if change is None:
        return Markup('<span class="unknown">{}</span>').format(fmt.UNKNOWN)
    value = float(change)
    if abs(value) < 0.0005:
        return Markup('<span class="num flat">0%</span>')
    direction = "down" if value < 0 else "up"
    judged = "good" if direction == good else "bad"
    return Markup('<span class="num delta {}">{}</span>').format(
        judged, fmt.ratio_text(value, signed=True, column=True)
    )


def _plain(value: Any) -> Any:
    """A value without markup."""
    return value.striptags() if isinstance(value, Markup) else value


def _sort_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, datetime):
        return str(value.timestamp())
    return str(value)
