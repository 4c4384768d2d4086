"""Sentences on pages: whole, with one minus sign everywhere, and true of what has already happened."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.web.test_view import view

from outlay_analytics.query.calendar import Series
from outlay_analytics.query.text import signed_percent, usd
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import slices
from outlay_web.pages.budgets import projection
from outlay_web.pages.happened import Happened

LONG = "12 users over $0.30 in 24 hours: " + ", ".join(f"user-{number:03} $0.{number}" for number in range(40, 60))


def test_a_reason_is_never_cut_in_a_table_while_a_name_is() -> None:
    page = Table("t", "T", [Column("Why", "words"), Column("Name", "text")], [[Cell(LONG), Cell(LONG)]]).html()
    assert f"{LONG}</th>" in page
    assert page.count(LONG) == 1
    assert "\N{REPLACEMENT CHARACTER}" in fmt.words("a\u202eb")


@pytest.mark.parametrize("amount", ["-1.39", "-0.00214", "-1234.5", "2"])
def test_sentences_and_tables_write_an_amount_alike(amount: str) -> None:
    assert usd(amount) == fmt.usd_text(Decimal(amount))
    assert usd(amount).startswith("\N{MINUS SIGN}$") == amount.startswith("-")
    assert (signed_percent(-0.1), signed_percent(0.1)) == ("\N{MINUS SIGN}10%", "+10%")


def test_a_budget_that_is_passed_is_said_to_be_over_and_not_likely_to_be() -> None:
    one: dict[str, Any] = {"projected_usd": Decimal(153), "probability_over": 1.0, "amount_usd": Decimal(150)}
    assert "over by $3.48, heading for $153.00<" in projection(one | {"remaining_usd": Decimal("-3.48")})
    assert "heading for $153.00, 100% odds of passing it" in projection(one | {"remaining_usd": Decimal(2)})


@pytest.mark.parametrize("held", ["0", "0.5"])
def test_a_slice_that_is_gone_says_why_two_lines_are_one(held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = view("start=2026-03-01T00:00:00Z&end=2026-03-02T00:00:00Z")
    monkeypatch.setattr(shown.ctx, "store", None, raising=False)
    monkeypatch.setattr(slices, "happened", lambda *_: Happened())

    def spent(_: object, scope: Any, interval: str) -> Series:
        return Series([], [Decimal(held) if "model" in scope.filters else Decimal(1)] * 24)

    monkeypatch.setattr(slices, "spend_series", spent)
    figure = slices.with_and_without(shown, [{"where": {"model": "opus"}, "change_usd": Decimal(-3), "share": 1.0}])
    assert figure is not None
    assert ("Nothing was spent on model opus in this time" in figure.note) == (held == "0")
