"""Tables for a terminal: aligned columns, numbers to the right, unknown as a dash."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?%?")
UNKNOWN = "–"
MAX_WIDTH = 60


def colored() -> bool:
    """Whether to use colors: only on a terminal, and not with NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print `columns` of `rows`; a column that holds nothing anywhere is left out."""
    if not rows:
        print("nothing found")
        return
    cells = [[cell(_look_up(row, name)) for name in columns] for row in rows]
    used = [i for i in range(len(columns)) if any(line[i] != UNKNOWN for line in cells)]
    widths = {i: max(len(columns[i]), *(_width(line[i]) for line in cells)) for i in used}
    numeric = {i: all(line[i] == UNKNOWN or NUMBER.fullmatch(line[i]) for line in cells) for i in used}
    head = "  ".join(_pad(columns[i], widths[i], numeric[i]) for i in used).rstrip()
    print(f"\033[1m{head}\033[0m" if colored() else head)
    for line in cells:
        print("  ".join(_pad(line[i], widths[i], numeric[i]) for i in used).rstrip())


def cell(value: Any) -> str:
    """One value on one line, without anything that could steer the terminal."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}={cell(part)}" for key, part in value.items() if part not in (None, ""))
    elif isinstance(value, (list, tuple)):
        value = ", ".join(cell(part) for part in value)
    text = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in str(value))
    return text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 1] + "…"


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
