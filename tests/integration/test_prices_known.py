"""Which list a call is priced by: what was known when it started, and what came to be known later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.pricing_world import NOW, Desk, call, priced, priced_with

from outlay_collector.prices import periods
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


def test_history_keeps_its_price_when_the_list_changes(store: Store) -> None:
    first = priced_with(store, {})
    before = first.one("gpt-4o", at=NOW)
    changed = NOW + timedelta(hours=1)
    row = {
        "provider": "openai",
        "model": "gpt-4o",
        "valid_from": "2020-01-01",
        "source": "contract",
        "input_usd_per_mtok": "1",
        "output_usd_per_mtok": "1",
    }
    first.book.put(first.writer, [row], now=changed)
    old, new = first.price(call("gpt-4o", at=NOW), call("gpt-4o", at=changed))
    assert (old["cost_usd"], old["price_version"]) == (before["cost_usd"], before["price_version"])
    assert new["cost_usd"] == Decimal("0.0011")
    assert new["price_version"] != old["price_version"]

    restarted = PriceBook(store)
    assert restarted.ensure(first.writer) == first.book.version
    again = priced(first.writer, restarted, [call("gpt-4o", at=NOW), call("gpt-4.1", at=NOW)])
    assert [one["price_version"] for one in again] == [before["price_version"]] * 2
    assert again[0]["cost_usd"] == before["cost_usd"]
    assert again[1]["cost_usd"] == Decimal("0.0028")


def test_a_project_without_history_takes_the_newest_list_for_all_of_its_past(desk: Desk) -> None:
    desk.one("gpt-4o")
    row = {
        "provider": "ollama",
        "model": "mine",
        "valid_from": "2020-01-01",
        "source": "own",
        "input_usd_per_mtok": "1",
        "output_usd_per_mtok": "1",
    }
    desk.book.put(desk.writer, [row], now=NOW)
    fresh = desk.one("mine", "ollama", NOW - timedelta(days=30), project="new")
    assert (fresh["cost_usd"], fresh["match_kind"]) == (Decimal("0.0011"), "contract")


LATE_PRICE = {
    "provider": "ollama",
    "model": "mine",
    "valid_from": "2026-11-01",
    "source": "own",
    "input_usd_per_mtok": "1",
    "output_usd_per_mtok": "1",
}


def test_a_late_call_of_a_model_that_was_unknown_takes_the_price_that_is_known_now(desk: Desk) -> None:
    first = desk.one("gpt-4o")
    assert desk.one("mine", "ollama")["cost_state"] == "unpriced"
    cheaper = {**LATE_PRICE, "provider": "openai", "model": "gpt-4o"}
    desk.book.put(desk.writer, [LATE_PRICE, cheaper], now=NOW + timedelta(minutes=1))
    late, known, early = desk.price(
        call("mine", "ollama"), call("gpt-4o"), call("mine", "ollama", datetime(2026, 10, 31, tzinfo=UTC))
    )
    assert (late["cost_usd"], late["match_kind"]) == (Decimal("0.0011"), "contract+later_list")
    assert late["price_version"] == desk.book.version != first["price_version"]
    assert (known["cost_usd"], known["price_version"]) == (first["cost_usd"], first["price_version"])
    assert (early["cost_state"], early["match_kind"]) == ("unpriced", "contract+later_list+no_price_yet")


def test_closed_books_and_repricing_do_not_look_at_later_lists(desk: Desk) -> None:
    desk.one("gpt-4o")
    desk.writer.run(
        "INSERT INTO price_epochs SELECT * REPLACE (true AS closed, version + 1 AS version) FROM price_epochs"
    )
    desk.book.put(desk.writer, [LATE_PRICE], now=NOW + timedelta(minutes=1))
    assert desk.one("mine", "ollama")["cost_state"] == "unpriced"
    assert desk.one("mine", "ollama", NOW + timedelta(minutes=2))["cost_usd"] == Decimal("0.0011")
    again = priced(desk.writer, desk.book, [call("mine", "ollama")], version=desk.book.version)
    assert again[0]["cost_usd"] == Decimal("0.0011")


def test_prices_that_another_process_put_are_taken_over(desk: Desk) -> None:
    desk.one("gpt-4o")
    other = PriceBook(desk.store)
    other.put(desk.store.writer(), [LATE_PRICE])
    assert desk.one("mine", "ollama")["cost_usd"] == Decimal("0.0011")
    assert desk.book.version == other.version


def test_time_lines_are_read_again_only_after_somebody_changed_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.one("gpt-4o")
    read: list[set[str]] = []
    read_all = periods.read_all

    def counted(writer: Writer, projects: set[str]) -> dict[str, periods.Timeline]:
        read.append(set(projects))
        return read_all(writer, projects)

    monkeypatch.setattr(periods, "read_all", counted)
    for _ in range(2):
        desk.book.reckoner(desk.writer, {"default"})
    assert read == []
    PriceBook(desk.store).put(desk.store.writer(), [LATE_PRICE])
    for _ in range(2):
        desk.book.reckoner(desk.writer, {"default"})
    assert 1 <= len(read) <= 2  # the list that was put is taken over, which begins a period
    assert desk.one("mine", "ollama")["cost_usd"] == Decimal("0.0011")
