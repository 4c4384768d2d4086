"""One line of a bill's table, read by what its columns mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from outlay_analytics.reconcile.columns import Columns, fold

_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}


def currency_in(name: str) -> str:
    """The currency that the name of a column says: `Cost ($)`, `Cost (EUR)`; empty where it says none."""
    found = re.search(r"\(([A-Z]{3}|[$€£¥])\)", name)
    return "" if found is None else _SIGNS.get(found[1], found[1])


class Layout:
    """Where a table has the columns of its kind."""

    def __init__(self, kind: Columns, by_fold: Mapping[str, str]) -> None:
        self.kind = kind
        self._by_fold = by_fold
        self._places: dict[Sequence[str], tuple[str, ...]] = {}
        self.own = [name for key, name in by_fold.items() if name.lower().startswith("x_")]

    def places(self, names: Sequence[str]) -> tuple[str, ...]:
        """The file's own names of these columns, those that it has."""
        if names not in self._places:
            self._places[names] = tuple(self._by_fold[key] for name in names if (key := fold(name)) in self._by_fold)
        return self._places[names]


class Line:
    """One line of a table, read by what its columns mean."""

    def __init__(self, layout: Layout, where: str, row: Mapping[str, Any]) -> None:
        self.layout = layout
        self.where = where
        self._row = row

    def named(self, names: Sequence[str]) -> tuple[str, Any]:
        """The column that is filled and its value; the first column where none is."""
        places = self.layout.places(names)
        for place in places:
            value = self._row.get(place)
            if value not in (None, ""):
                return place, value
        return (places[0] if places else names[0] if names else ""), None

    def value(self, names: Sequence[str]) -> Any:
        return self.named(names)[1] if names else None

    def text(self, names: Sequence[str]) -> str:
        value = self.value(names)
        return "" if value is None else str(value).strip()

    def texts(self, names: Sequence[str]) -> list[str]:
        found = (self._row.get(place) for place in self.layout.places(names))
        return [value.strip() for value in found if isinstance(value, str) and value.strip()]

    def own_columns(self) -> list[str]:
        """What the table's own columns (`x_…`) say."""
        found = (self._row.get(name) for name in self.layout.own)
        return [value.strip() for value in found if isinstance(value, str) and value.strip()]

    def amounts(self) -> tuple[str, Any, str, Any, str]:
        """Column and value of the amount and of the list amount, and the currency of both."""
        kind = self.layout.kind
        name, value = self.named(kind.usd) if kind.usd else ("", None)
        if value is not None:
            return name, value, *(self.named(kind.listed_usd) if kind.listed_usd else ("", None)), "USD"
        currency = self.text(kind.currency).upper() or currency_in(self.named(kind.amount)[0])
        return *self.named(kind.amount), *(self.named(kind.listed) if kind.listed else ("", None)), currency
