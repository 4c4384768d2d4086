"""Days by one dimension that the hourly rollups lack: whatever they hold, the answer is that of the calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Window
from outlay_analytics.questions.spend import spend
from outlay_collector.rollup import dimensions as rollup_dimensions
from outlay_collector.rollup.dimensions import COLUMNS, MAX_TAGS, Found, grains_of
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
ONE_DAY = timedelta(days=1)
FOUR_DAYS = Window(DAY, DAY + 4 * ONE_DAY)
EDGES = Window(DAY + timedelta(minutes=7), DAY + 3 * ONE_DAY + timedelta(hours=5, minutes=3))
QUESTIONS: list[tuple[dict[str, tuple[str, ...]], tuple[str, ...], str]] = [
    ({}, ("user",), "total"),
    ({}, ("user",), "day"),
    ({"user": ("u-1", "")}, (), "total"),
    ({"tag.plan": ("pro",)}, ("feature",), "day"),
    ({"tag.plan": ("",), "feature": ("chat",)}, ("tag.plan", "status", "model_tier"), "total"),
    ({}, ("tag.seat",), "total"),
    ({}, ("session",), "total"),
    ({"tag.unheard": ("",)}, ("model",), "week"),
    ({"customer": ("",)}, ("team", "cascade_tier"), "total"),
    ({}, ("user", "tag.plan"), "total"),
    ({"user": ("u-2",)}, ("feature",), "total"),
]


@pytest.fixture(autouse=True)
def _days_of_few_calls_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_dimensions, "MIN_CALLS", 1)


def busy(days: int = 4) -> Iterator[dict[str, Any]]:
    """240 calls a day: thirteen users, two plans (one day none), a seat for some, a session for each."""
    for n in range(240 * days):
        cost = None if n % 11 == 0 else f"{n}.000000000{n % 7}01"
        plan = {} if n // 240 == 2 else {"plan": ("pro", "free", "")[n % 3]}
        yield call(
            timedelta(minutes=6 * n, milliseconds=n),
            cost,
            feature=("search", "chat")[n % 2],
            model="gpt-5-mini" if n % 2 else "gpt-5",
            user=f"u-{n % 12}" if n % 7 else "",
            session=f"s-{n}",
            tags={**plan, **({"seat": f"seat-{n % 100}"} if n % 2 else {})},
            cost_state=("no_usage" if n % 2 else "unpriced") if cost is None else "computed",
            input_tokens=n * 10 if n % 5 else None,
            output_tokens=n,
            duration_ns=(n + 1) * 37_000_000,
            match_kind="exact+standard_part" if n % 4 == 0 else "exact",
            flags=["cached_input_unknown"] if n % 3 == 0 else [],
            cost_lines={} if cost is None else {"input": cost},
        )


def land(store: Store, *rows: dict[str, Any]) -> None:
    """Put rows in as changes of this moment."""
    put(store, *rows)
    writer = store.writer()
    hours = {row["started_at"].replace(minute=0, second=0, microsecond=0) for row in rows}
    at = datetime.now(UTC)
    writer.insert("dirty_hours", [{"project": "default", "hour": hour, "changed_at": at} for hour in sorted(hours)])
    writer.close()


def roll_up(store: Store, now: datetime | None = None) -> None:
    rollup = Rollup(store, budget_s=60)
    while rollup.run_once(now or datetime(2100, 1, 1, tzinfo=UTC)):
        pass
    rollup.close()


def tables(store: Store, scope: Scope, *dimensions: str, interval: Any = "total") -> set[str]:
    """Which tables a question would be answered from."""
    sql = spend_source(store, scope, dimensions, interval, latency=True).sql
    return {name for name in ("dimension_daily", "spend_daily", "spend_hourly", "calls") if f"FROM {name} " in sql}


def answers(store: Store, window: Window, zone: str = "UTC", limit: int = 1000) -> list[dict[str, Any]]:
    return [
        spend(store, Scope(window, filters, timezone=zone), names, interval, limit=limit)
        for filters, names, interval in QUESTIONS
    ]


def test_the_rollup_knows_every_dimension_that_the_hourly_one_lacks() -> None:
    assert {f"c.{column}" for column in COLUMNS.values()} == {
        one.calls.replace("`", "") for one in DIMENSIONS.values() if one.rollup is None
    }
    assert set(COLUMNS) == {name for name, one in DIMENSIONS.items() if one.rollup is None}


@pytest.mark.parametrize(("zone", "window", "limit"), [("UTC", FOUR_DAYS, 1000), ("Asia/Kolkata", EDGES, 2)])
def test_days_by_one_dimension_give_what_the_calls_give(store: Store, zone: str, window: Window, limit: int) -> None:
    land(store, *busy())
    before = answers(store, window, zone, limit)
    roll_up(store)
    assert answers(store, window, zone, limit) == before
    assert all(one["total"]["calls"] for one in before)


def test_a_rolled_day_is_read_only_where_it_can_tell(store: Store) -> None:
    land(store, *busy())
    roll_up(store)
    rolled = {"dimension_daily", "calls"}
    assert tables(store, Scope(FOUR_DAYS), "user") == rolled
    assert tables(store, Scope(FOUR_DAYS, {"user": ("u-1",)}), interval="day") == rolled
    assert tables(store, Scope(FOUR_DAYS, {"tag.plan": ("pro",)}), "feature") == {*rolled, "spend_daily"}
    assert tables(store, Scope(FOUR_DAYS), "customer", "model") == {"spend_daily", "calls"}
    assert tables(store, Scope(FOUR_DAYS, timezone="Europe/Berlin"), "user") == rolled
    for scope, names, interval in (
        (Scope(FOUR_DAYS), ("user", "feature"), "total"),
        (Scope(FOUR_DAYS), ("user", "tag.plan"), "total"),
        (Scope(FOUR_DAYS), ("session",), "total"),
        (Scope(FOUR_DAYS), ("user",), "hour"),
        (Scope(FOUR_DAYS, timezone="Europe/Berlin"), ("user",), "day"),
        (Scope(FOUR_DAYS, {"trace_id": ("f" * 32,)}), ("user",), "total"),
        (Scope(Window(DAY + HOUR, DAY + 23 * HOUR)), ("user",), "total"),
    ):
        assert tables(store, scope, *names, interval=interval) == {"calls"}, names


def test_a_late_call_and_a_retraction_are_seen_at_once_and_then_rolled_up(store: Store) -> None:
    rows = list(busy(2))
    land(store, *rows)
    roll_up(store)
    late = call(5 * HOUR, "1000", user="late", tags={"plan": "new"})
    gone = [
        row | {"is_deleted": 1, "version": 2}
        for row in rows
        if row["user"] == "u-3" and row["started_at"] < DAY + ONE_DAY
    ]
    land(store, late, *gone)
    window = Window(DAY, DAY + 2 * ONE_DAY)
    before = answers(store, window)
    users = {row["user"]: row["calls"] for row in before[0]["rows"]}
    assert users["late"] == 1
    assert users["u-3"] == sum(row["user"] == "u-3" for row in rows) - len(gone)
    roll_up(store)
    assert answers(store, window) == before
    assert tables(store, Scope(Window(DAY, DAY + ONE_DAY)), "user") == {"dimension_daily", "calls"}
    first_day = spend(store, Scope(Window(DAY, DAY + ONE_DAY)), ["user"])["rows"]
    assert "u-3" not in {row["user"] for row in first_day}


def test_a_day_is_rolled_up_once_it_is_over_and_quiet(store: Store) -> None:
    land(store, *busy(2))
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    scope = Scope(FOUR_DAYS)
    roll_up(store, now + timedelta(minutes=9))
    assert tables(store, scope, "user") == {"calls"}
    roll_up(store, now + timedelta(minutes=11))
    assert tables(store, scope, "user") == {"dimension_daily", "calls"}
    land(store, *(call(today + n * timedelta(seconds=1), "1", user="u") for n in range(30)))
    roll_up(store, today + timedelta(hours=23, minutes=59))
    now_scope = Scope(Window(today, today + ONE_DAY))
    assert tables(store, now_scope, "user") == {"calls"}
    assert spend(store, now_scope, ["user"])["rows"][0]["calls"] == 30
    roll_up(store, today + 2 * ONE_DAY)
    assert tables(store, now_scope, "user") == {"dimension_daily", "calls"}


def test_a_day_of_few_calls_is_left_to_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_dimensions, "MIN_CALLS", 20)
    land(store, *(call(n * HOUR, "1", user="u") for n in range(19)))
    roll_up(store)
    scope = Scope(Window(DAY, DAY + ONE_DAY))
    assert tables(store, scope, "user") == tables(store, scope, "customer") == {"calls"}
    land(store, call(HOUR, "1", user="u"))
    roll_up(store)
    assert tables(store, scope, "user") == {"dimension_daily", "calls"}


def test_tags_beyond_the_bound_are_read_from_calls(store: Store) -> None:
    many = {f"key-{number:02}": "x" for number in range(MAX_TAGS + 1)}
    land(store, *(call(n * timedelta(minutes=1), "1", user="u", tags=many) for n in range(200)))
    roll_up(store)
    scope = Scope(Window(DAY, DAY + ONE_DAY))
    for key in ("key-00", f"key-{MAX_TAGS:02}", "unheard"):
        rows = spend(store, scope, [f"tag.{key}"])["rows"]
        assert [(row[f"tag.{key}"], row["calls"]) for row in rows] == [(many.get(key), 200)]
    assert tables(store, scope, f"tag.key-{MAX_TAGS:02}") == {"calls"}
    assert tables(store, scope, "tag.key-00") == {"dimension_daily", "calls"}


def test_a_day_keeps_few_rows_for_its_calls() -> None:
    sizes = {"few": 2, "many": 80, "more": 100, "other": 100, "each": 800}
    found = [Found(name, "", values) for name, values in sizes.items()]
    kept = {"few": "full", "many": "alone", "more": "alone", "other": "none", "each": "none"}
    assert grains_of(found, 800, 10) == kept
    assert grains_of(found, 800, 11) == {**kept, "few": "alone"}
    assert grains_of(found[-1:], 800, 1) == {"each": "none"}
