"""What is exported: named columns, each of one kind, and rows that come a few thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "json", "count", "number", "yes_no", "decimal", "instant"]


def columns(names: str, kind: Kind) -> dict[str, Kind]:
    """Columns of one kind, by names written as words."""
    return dict.fromkeys(names.split(), kind)


@dataclass(frozen=True)
class Export:
    """A table to write as a file.

    Attributes:
        name: What it holds, for the file's name.
        columns: Name and kind of each column, in order. `decimal` is exact with 12 decimals, `json` a nested value.
        rows: One mapping per row with every column; may only be gone through once.
        calls: Calls of the window, where the table is about calls.
        priced_calls: Those of them whose cost is known.
    """

    name: str
    columns: Mapping[str, Kind]
    rows: Iterator[Mapping[str, Any]]
    calls: int | None = None
    priced_calls: int | None = None

    def values(self) -> Iterator[Sequence[Any]]:
        """The rows as sequences in the order of the columns."""
        names = list(self.columns)
        return ([row[name] for name in names] for row in self.rows)
