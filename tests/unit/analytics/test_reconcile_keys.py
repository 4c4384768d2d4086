"""Keys that are not recorded are found without adding up every combination of them."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from outlay_analytics.reconcile import quantities
from outlay_analytics.reconcile.cells import Cell


def cells(days: int, keys: int, lost: tuple[int, ...]) -> dict[Any, Cell]:
    """A bill of so many keys a day, whose calls lack what some of them cost."""
    out, chance = {}, Random(7)
    for day in range(days):
        by_key = {(f"p{k % 3}", f"k{k}"): Decimal(chance.randint(1, 10**6)) / 100 for k in range(keys)}
        cell = Cell()
        cell.by_key, cell.counts = by_key, Counter({"calls": 5})
        cell.known["missing_calls"] = sum((by_key[f"p{k % 3}", f"k{k}"] for k in lost), Decimal(0))
        out[date(2026, 1, 1) + timedelta(day), "openai", "m"] = cell
    return out


def test_three_of_twenty_four_keys_are_found_exactly_and_no_combination_is_added_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Counter[str]()
    exact = quantities._of

    def counted(*args: Any) -> Decimal:
        asked["sums"] += 1
        return exact(*args)

    monkeypatch.setattr(quantities, "_of", counted)
    found = quantities.unrecorded_keys(cells(10, 24, (3, 11, 20)))
    assert sorted(str(one["key"]) for one in found) == ["k11", "k20", "k3"]
    assert asked["sums"] < 10 * 24 * 3  # all combinations of up to three keys would be 2,324 of each cell
    asked.clear()
    assert quantities.unrecorded_keys(cells(10, 40, tuple(range(7)))) == []
    assert asked["sums"] < 10 * 40 * 3
