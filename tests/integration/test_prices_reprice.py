"""Repricing history: previewed, applied, undone, and kept out of closed books."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call as hand_call
from tests.hand_calls import lookup as hand_lookup
from tests.hand_calls import put
from tests.pricing_world import call

from outlay.errors import ConfigError
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.lists import catalogue_warning, list_prices, missing_prices
from outlay_collector.prices.months import close_month, closed_months, reopen_month
from outlay_collector.prices.periods import BooksClosed, PricePeriod, changed, read
from outlay_collector.prices.reprice import (
    reprice,
    repricings,
    resume,
    undo,
)
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
CHEAPER = {
    "provider": "openai",
    "model": "gpt-4o",
    "valid_from": "2026-01-01",
    "source": "contract",
    "input_usd_per_mtok": "1",
    "output_usd_per_mtok": "1",
}
OWN = {**CHEAPER, "provider": "ollama", "model": "llama3"}


@dataclass
class World:
    """Priced calls of October and November, as settle would have written them."""

    store: Store
    writer: Writer
    book: PriceBook

    def sums(self) -> dict[str, Any]:
        return self.store.query(
            "SELECT count() AS calls, count(cost_usd) AS priced, sum(cost_usd) AS usd FROM calls FINAL"
        )[0]

    def settle(self, calls: list[dict[str, Any]]) -> None:
        """Price the calls by the lists in force and write them."""
        self.writer.run("CREATE OR REPLACE TEMPORARY TABLE incoming ENGINE = Memory AS SELECT * FROM calls LIMIT 0")
        rows = []
        for nth, one in enumerate(calls):
            row = {key: value for key, value in one.items() if key not in ("id", "state_hint")}
            row |= {"trace_id": f"{nth:032x}", "span_id": f"{nth:016x}", "model": one["request_model"], "attempt": 1}
            row |= {"version": time.time_ns() // 1000, "flags": []}
            rows.append(json.dumps(row))
        self.writer.load("incoming", "\n".join(rows).encode(), fmt="JSONEachRow")
        self.writer.run("INSERT INTO calls SELECT * FROM incoming")
        self.book.prepare(self.writer, "SELECT * FROM calls")
        from outlay_collector.prices.reprice import agree

        agree(self.book, self.writer, "default", OCTOBER, NOVEMBER + timedelta(days=30))


@pytest.fixture
def world(store: Store) -> World:
    writer = store.writer()
    book = PriceBook(store)
    book.ensure(writer)
    world = World(store, writer, book)
    days = [OCTOBER + timedelta(days=n, hours=5) for n in range(40)]
    world.settle(
        [call("gpt-4o", at=day, feature="chat") for day in days]
        + [call("llama3", "ollama", at=day, feature="local") for day in days]
    )
    return world


def test_a_preview_shows_the_difference_and_changes_nothing(world: World) -> None:
    before = world.sums()
    assert before == {"calls": 80, "priced": 40, "usd": Decimal("0.14")}
    world.book.put(world.writer, [CHEAPER, OWN])

    shown = reprice(world.book, world.writer, OCTOBER, NOVEMBER)

    assert world.sums() == before
    assert (shown["id"], shown["calls"], shown["newly_priced"]) == (None, 62, 31)
    assert shown["before_usd"] == Decimal("0.1085")
    assert shown["after_usd"] == Decimal("0.0682")
    assert shown["change_usd"] == Decimal("-0.0403")
    first = shown["rows"][:2]
    assert {(str(row["day"]), row["feature"], row["change_usd"]) for row in first} == {
        ("2026-10-01", "chat", Decimal("-0.0024")),
        ("2026-10-01", "local", Decimal("0.0011")),
    }


def test_applied_then_undone_leaves_every_figure_as_it_was(world: World) -> None:
    figures = "SELECT * EXCEPT version FROM calls FINAL ORDER BY trace_id"
    original = world.store.query(figures)
    world.book.put(world.writer, [CHEAPER, OWN])

    done = reprice(world.book, world.writer, OCTOBER, NOVEMBER, dry_run=False)
    assert world.sums() == {"calls": 80, "priced": 71, "usd": Decimal("0.14") + done["change_usd"]}
    assert reprice(world.book, world.writer, OCTOBER, NOVEMBER)["calls"] == 0
    kept = repricings(world.store)[0]
    assert (kept["state"], kept["before_usd"], kept["after_usd"]) == ("applied", done["before_usd"], done["after_usd"])

    undo(world.book, world.writer, done["id"])
    assert world.store.query(figures) == original
    with pytest.raises(ConfigError, match="to undo"):
        undo(world.book, world.writer, done["id"])


def test_what_is_outside_the_window_is_not_touched(world: World) -> None:
    world.book.put(world.writer, [CHEAPER])
    start, end = OCTOBER + timedelta(days=3, hours=5), OCTOBER + timedelta(days=7, hours=5)
    assert reprice(world.book, world.writer, start, end, dry_run=False)["calls"] == 4
    touched = world.store.query("SELECT started_at FROM calls FINAL WHERE cost_usd = toDecimal128('0.0011', 12)")
    assert {row["started_at"] for row in touched} == {OCTOBER + timedelta(days=day, hours=5) for day in (3, 4, 5, 6)}


def test_a_repricing_reaches_the_rollups(world: World) -> None:
    rollup = Rollup(world.store)
    later = datetime.now(UTC) + timedelta(hours=1)
    while rollup.run_once(later):
        pass
    world.book.put(world.writer, [CHEAPER, OWN])
    time.sleep(0.003)
    reprice(world.book, world.writer, OCTOBER, NOVEMBER, dry_run=False)
    time.sleep(0.003)
    while rollup.run_once(later):
        pass
    for table in ("spend_hourly", "spend_daily"):
        rolled = world.store.query(f"SELECT sum(cost_usd) AS usd FROM {table} FINAL")[0]["usd"]
        assert rolled == world.sums()["usd"]


def test_an_interrupted_repricing_is_finished_at_the_next_start(world: World) -> None:
    world.book.put(world.writer, [CHEAPER, OWN])
    done = reprice(world.book, world.writer, OCTOBER, NOVEMBER, dry_run=False)
    after = world.sums()
    undo(world.book, world.writer, done["id"])
    world.writer.run(
        "INSERT INTO repricings SELECT * REPLACE ('applying' AS state, version + 1 AS version) FROM repricings FINAL"
    )
    assert resume(world.book, world.writer) == 1
    assert world.sums() == after
    assert resume(world.book, world.writer) == 0


def test_what_settle_writes_meanwhile_wins(world: World) -> None:
    world.book.put(world.writer, [CHEAPER, OWN])
    world.writer.run("CREATE TEMPORARY TABLE snapshot ENGINE = Memory AS SELECT * FROM calls FINAL")
    world.writer.run(
        "INSERT INTO calls SELECT * REPLACE (version + 1000 AS version, 1 AS is_deleted) FROM snapshot LIMIT 10"
    )
    reprice(world.book, world.writer, OCTOBER, NOVEMBER, dry_run=False)
    assert world.sums()["calls"] == 70


def test_closed_books_are_changed_only_on_purpose_and_show_the_adjustment(world: World) -> None:
    closed = close_month(world.book, world.writer, "2026-10")
    assert (closed["calls"], closed["cost_usd"]) == (62, Decimal("0.1085"))
    world.book.put(world.writer, [CHEAPER])
    assert reprice(world.book, world.writer, OCTOBER, NOVEMBER)["calls"] == 31
    for window in ((OCTOBER, NOVEMBER), (NOVEMBER - timedelta(hours=1), NOVEMBER + timedelta(days=1))):
        with pytest.raises(BooksClosed, match="books are closed"):
            reprice(world.book, world.writer, *window, dry_run=False)
    assert reprice(world.book, world.writer, NOVEMBER, NOVEMBER + timedelta(days=30), dry_run=False)["calls"] == 9

    reprice(world.book, world.writer, OCTOBER, NOVEMBER, dry_run=False, reopen=True)
    adjusted = closed_months(world.store)[0]
    assert adjusted["adjustment_usd"] == Decimal("0.0341") - Decimal("0.1085")
    assert repricings(world.store)[0]["adjustment_usd"] == adjusted["adjustment_usd"]

    reopen_month(world.writer, "2026-10")
    assert closed_months(world.store) == []
    assert not any(period.closed for period in read(world.writer, "default"))


def test_a_month_that_is_not_over_is_not_closed(world: World) -> None:
    with pytest.raises(ConfigError, match="is not over yet"):
        close_month(world.book, world.writer, "2099-01")
    with pytest.raises(ConfigError, match="is not a month"):
        close_month(world.book, world.writer, "October")


def test_an_empty_window_or_an_unknown_list_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="is not before"):
        reprice(world.book, world.writer, NOVEMBER, OCTOBER)
    with pytest.raises(ConfigError, match="no price list"):
        reprice(world.book, world.writer, OCTOBER, NOVEMBER, version="0123456789ab")


def test_missing_prices_are_listed_with_what_they_weigh(world: World) -> None:
    rows = missing_prices(world.store, OCTOBER, NOVEMBER)
    assert [(row["provider"], row["request_model"], row["calls"], row["input_tokens"]) for row in rows] == [
        ("ollama", "llama3", 31, 31_000)
    ]


def test_what_was_believed_on_a_day_can_be_asked(world: World) -> None:
    before = datetime.now(UTC)
    time.sleep(0.01)
    world.book.put(world.writer, [CHEAPER])
    now = list_prices(world.store, provider="openai", model="gpt-4o", at=NOVEMBER)
    then = list_prices(world.store, provider="openai", model="gpt-4o", at=NOVEMBER, as_of=before)
    never = list_prices(world.store, as_of=datetime(2020, 1, 1, tzinfo=UTC))

    def price(shown: dict[str, Any]) -> Decimal:
        found = [row for row in shown["prices"] if row["model"] == "gpt-4o" and row["service_tier"] == "standard"]
        assert len(found) == 1
        return Decimal(found[0]["input_usd_per_mtok"])

    assert (price(now), price(then)) == (Decimal(1), Decimal("2.5"))
    assert now["price_version"] != then["price_version"]
    assert never["prices"] == []


def test_an_old_catalogue_warns(world: World) -> None:
    assert catalogue_warning(world.store, datetime(2026, 11, 25, tzinfo=UTC)) is None
    assert "days ago" in str(catalogue_warning(world.store, datetime(2027, 2, 1, tzinfo=UTC)))


def test_a_time_line_is_cut_only_where_something_changes() -> None:
    line = (PricePeriod(OCTOBER, "a"), PricePeriod(NOVEMBER, "b", closed=True))
    day = timedelta(days=1)
    moved = changed(line, OCTOBER + day, NOVEMBER + day, lambda one: PricePeriod(one.starts_at, "c", one.closed))
    assert moved == (
        PricePeriod(OCTOBER, "a"),
        PricePeriod(OCTOBER + day, "c"),
        PricePeriod(NOVEMBER, "c", closed=True),
        PricePeriod(NOVEMBER + day, "b", closed=True),
    )
    assert changed(moved, OCTOBER, NOVEMBER + 2 * day, lambda one: PricePeriod(one.starts_at, "b", True)) == (
        PricePeriod(OCTOBER, "b", closed=True),
    )


def test_an_estimate_stays_one_and_hits_of_the_cache_avoid_what_the_new_price_says(world: World) -> None:
    put(
        world.store,
        hand_call(
            OCTOBER,
            "0.0035",
            request_model="gpt-4o",
            response_model="",
            model="gpt-4o",
            input_tokens=1000,
            output_tokens=100,
            cost_state="estimated",
            trace_id="e" * 32,
        ),
        hand_call(
            OCTOBER,
            "0",
            request_model="gpt-4o",
            response_model="",
            model="gpt-4o",
            cost_state="cached",
            cache_kind="exact",
            cache_hit=True,
            cache_avoided_input_tokens=1000,
            cache_avoided_output_tokens=100,
            cache_avoided_usd="0.0035",
            trace_id="c" * 32,
            span_id="c" * 16,
        ),
        hand_lookup(OCTOBER, avoided_usd="0.0035", trace_id="c" * 32, span_id="c" * 16, model="gpt-4o"),
        hand_lookup(OCTOBER, avoided_usd="9", trace_id="d" * 32),
    )
    figures = "SELECT * EXCEPT version FROM lookups FINAL ORDER BY trace_id"
    before = world.store.query(figures)
    world.book.put(world.writer, [CHEAPER])
    done = reprice(world.book, world.writer, OCTOBER, NOVEMBER, dry_run=False)

    avoided = {row["trace_id"][0]: row["avoided_usd"] for row in world.store.query(figures)}
    assert avoided == {"c": Decimal("0.0011"), "d": Decimal(9)}
    found = world.store.query(
        "SELECT substring(trace_id, 1, 1) AS id, cost_state, cost_usd, input_tokens, cache_avoided_usd AS avoided_usd "
        "FROM calls FINAL WHERE trace_id IN (repeat('c', 32), repeat('e', 32)) ORDER BY id"
    )
    assert [tuple(row.values()) for row in found] == [
        ("c", "cached", Decimal(0), None, Decimal("0.0011")),
        ("e", "estimated", Decimal("0.0011"), 1000, None),
    ]
    undo(world.book, world.writer, done["id"])
    assert world.store.query(figures) == before
