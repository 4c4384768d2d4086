"""Tables for a terminal: what fits, numbers whole and to the right, unknown as a dash; exact digits are --json's.

Texts give way first: they are shortened down to `MIN_TEXT` characters, instants to their day. Columns that still do not
fit are left out from the right, ids last, and named below the table. Money and numbers are rounded for the eye, never
cut.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.query.text import digits

UNKNOWN = "–"
NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d\S*")
MONEY = re.compile(r"(.*_)?usd")
MAX_TEXT = 60
MIN_TEXT = 12
DAY = len("2026-11-27")
GAP = "  "
PIPE_WIDTH = 160  # of a page that is not a terminal, unless COLUMNS says another


def colored() -> bool:
    """Whether to use colors: only on a terminal, and not with NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print `columns` of `rows` in the width of the terminal; a column that holds nothing anywhere is left out."""
    if not rows:
        print("nothing found")
        return
    table = [_Column(name, [cell(_look_up(row, name), name) for row in rows]) for name in columns]
    used = [column for column in table if any(text != UNKNOWN for text in column.cells)] or table[:1]
    shown = _fit(used, shutil.get_terminal_size((PIPE_WIDTH, 24)).columns)
    head = GAP.join(column.head() for column in shown).rstrip()
    print(f"\033[1m{head}\033[0m" if colored() else head)
    for number in range(len(rows)):
        print(GAP.join(column.line(number) for column in shown).rstrip())
    left_out = [column.name for column in used if column not in shown]
    if left_out:
        print(f"(not shown in this width: {', '.join(left_out)}; --json has everything)", file=sys.stderr)


def cell(value: Any, name: str = "") -> str:
    """One value on one line, without anything that could steer the terminal; figures as a person reads them."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and MONEY.fullmatch(name.rpartition(".")[2]) and NUMBER.fullmatch(value):
        return money(Decimal(value))
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return f"{number:.4g}" if abs(number) < 10_000 else f"{number:,.0f}"
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}={cell(part, key)}" for key, part in value.items() if part not in (None, ""))
    elif isinstance(value, (list, tuple)):
        value = ", ".join(cell(part) for part in value)
    return "".join(char if unicodedata.category(char)[0] != "C" else " " for char in str(value))


def money(amount: Decimal) -> str:
    """Cents from a dollar on, four digits that say something below; an amount that is not zero never looks so."""
    shown = digits(amount, 4)
    if abs(amount) < 1:
        shown = shown.rstrip("0").rstrip(".")
    return f"-{shown}" if amount < 0 else shown


class _Column:
    """One column: its texts, and the width it may take."""

    def __init__(self, name: str, cells: list[str]) -> None:
        self.name = name
        self.cells = cells
        self.numeric = all(text == UNKNOWN or NUMBER.fullmatch(text) for text in cells)
        self.is_id = name == "id" or name.endswith("_id")
        whole = max(len(name), *(_width(text) for text in cells))
        self.width = whole if self.numeric or self.is_id else min(whole, MAX_TEXT)
        self.least = self.width if self.numeric or self.is_id else min(self.width, max(MIN_TEXT, len(name)))

    def slack(self) -> int:
        """How much narrower it may become."""
        return self.width - self.least

    def head(self) -> str:
        return _pad(self.name, self.width, self.numeric)

    def line(self, number: int) -> str:
        return _pad(_shorten(self.cells[number], self.width), self.width, self.numeric)


def _fit(columns: Sequence[_Column], width: int) -> list[_Column]:
    """The columns that fit, texts shortened as far as needed; the first always stays."""
    shown = list(columns)

    def needed(least: bool) -> int:
        return sum((c.least if least else c.width) for c in shown) + len(GAP) * (len(shown) - 1)

    while needed(least=True) > width and len(shown) > 1:
        last = next((c for c in reversed(shown[1:]) if not c.is_id), shown[-1])
        shown.remove(last)
    while (excess := needed(least=False) - width) > 0:
        widest = max(shown, key=_Column.slack)
        if widest.width == widest.least:
            break
        others = [c.width for c in shown if c is not widest and c.width > c.least]
        step = widest.width - max([widest.least, *(w for w in others if w < widest.width)])
        widest.width -= max(1, min(step, excess))
    return shown


def _shorten(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    if INSTANT.fullmatch(text) and width >= DAY:
        return text[:DAY]
    kept = ""
    for char in text:
        if _width(kept + char) > width - 1:
            break
        kept += char
    return kept + "…"


def _look_up(row: Mapping[str, Any], name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
