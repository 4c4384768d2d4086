"""Clean hours from rollups, the rest from calls: whatever is clean, the answer is the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hand_calls import DAY, call, put, roll_up

from outlay_analytics.query.looks import one_look
from outlay_analytics.query.rolled_hours import parts_of
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Window
from outlay_analytics.questions.spend import spend
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
NOON = DAY + 12 * HOUR


def tables(store: Store, scope: Scope, *dimensions: str, interval: Any = "total") -> set[str]:
    """Which tables a question would be answered from."""
    sql = spend_source(store, scope, dimensions, interval).sql
    names = {name for name in ("spend_daily", "spend_hourly") if f"FROM {name}" in sql}
    return names | ({"calls"} if "FROM calls" in sql else set())


def break_rollups(store: Store) -> None:
    """Make every rolled-up figure visibly wrong, to see where an answer came from."""
    writer = store.writer()
    for table in ("spend_hourly", "spend_daily"):
        writer.run(
            f"INSERT INTO {table} SELECT * REPLACE (cost_usd + 1000 AS cost_usd, version + 1 AS version) "
            f"FROM {table} FINAL"
        )
    writer.close()


def test_an_hour_is_read_from_the_rollup_only_after_its_last_change(store: Store) -> None:
    put(store, call(HOUR, "1"), call(2 * HOUR, "2"))
    roll_up(store, [DAY + HOUR])
    break_rollups(store)
    scope = Scope(Window(DAY, DAY + 24 * HOUR))
    assert spend(store, scope)["total"]["cost_usd"] == 1003
    put(store, call(HOUR, "4"))
    assert spend(store, scope)["total"]["cost_usd"] == 7


def test_the_figures_of_one_look_speak_of_one_state(store: Store) -> None:
    put(store, call(HOUR, "1"), call(2 * HOUR, "2"))
    roll_up(store, [DAY + HOUR])
    break_rollups(store)
    scope = Scope(Window(DAY, DAY + 24 * HOUR))
    with one_look():
        assert spend(store, scope)["total"]["cost_usd"] == 1003
        put(store, call(HOUR, "4"))
        assert spend(store, scope)["total"]["cost_usd"] == 1003
    assert spend(store, scope)["total"]["cost_usd"] == 7


def test_only_whole_hours_of_the_window_come_from_the_rollup(store: Store) -> None:
    put(store, call(timedelta(minutes=70), "1"), call(timedelta(minutes=130), "2"), call(timedelta(minutes=190), "4"))
    roll_up(store)
    break_rollups(store)
    scope = Scope(Window(DAY + timedelta(minutes=65), DAY + timedelta(minutes=195)))
    assert spend(store, scope)["total"]["cost_usd"] == 1007


def test_whole_clean_days_come_from_the_daily_rollup(store: Store) -> None:
    put(store, *(call(n * 6 * HOUR, "1", feature="a") for n in range(12)))
    roll_up(store)
    scope = Scope(Window(DAY, DAY + timedelta(days=3)))
    assert tables(store, scope, "feature", interval="day") == {"spend_daily", "calls"}
    assert tables(store, scope, interval="hour") == {"spend_hourly", "calls"}
    put(store, call(30 * HOUR, "1"))
    assert tables(store, scope, interval="day") == {"spend_daily", "spend_hourly", "calls"}


@pytest.mark.parametrize(
    ("zone", "interval", "rolled"),
    [
        ("UTC", "day", True),
        ("Europe/Berlin", "day", True),
        ("Asia/Kolkata", "day", True),
        ("Asia/Kolkata", "hour", False),
        ("Europe/Berlin", "hour", True),
        ("Asia/Kolkata", "total", True),
        ("Australia/Lord_Howe", "month", True),
    ],
)
def test_hours_that_lie_in_two_of_a_zones_are_answered_from_calls(
    store: Store, zone: str, interval: str, rolled: bool
) -> None:
    put(store, call(HOUR, "1"))
    roll_up(store)
    scope = Scope(Window(DAY, DAY + timedelta(days=1)), timezone=zone)
    assert (tables(store, scope, interval=interval) != {"calls"}) is rolled


def test_dimensions_that_rollups_lack_are_answered_from_calls(store: Store) -> None:
    put(store, call(HOUR, "1", user="u"))
    roll_up(store)
    window = Window(DAY, DAY + timedelta(days=1))
    assert tables(store, Scope(window), "user") == {"calls"}
    assert tables(store, Scope(window, {"tag.plan": ("pro",)})) == {"calls"}
    assert tables(store, Scope(window, {"model_tier": ("frontier",)}), "cascade_tier") != {"calls"}


def test_the_real_rollup_gives_what_the_calls_give(store: Store) -> None:
    put(store, *varied())
    scope = Scope(Window(DAY, DAY + timedelta(days=4)))
    questions = [((), "total"), (("feature", "model"), "day"), (("cascade_tier", "status", "cost_state"), "hour")]
    before = [spend(store, scope, names, interval) for names, interval in questions]
    rollup = Rollup(store)
    while rollup.run_once(datetime(2030, 1, 1, tzinfo=UTC)):
        pass
    rollup.close()
    assert tables(store, scope) != {"calls"}
    assert [spend(store, scope, names, interval) for names, interval in questions] == before
    assert before[0]["coverage"] == {
        "calls": 120,
        "priced_calls": 109,
        "priced_ratio": 109 / 120,
        "estimated_calls": 55,
        "assumed_calls": 37,
        "cached_input_unknown_calls": 16,
    }


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Auckland"])
def test_days_of_another_zone_are_those_of_their_calls(store: Store, zone: str) -> None:
    """From sums and histograms of UTC days, of which the hours that lie in the day before or after are moved there."""
    put(store, *varied())
    scope = Scope(Window(DAY - 12 * HOUR, DAY + timedelta(days=5)), timezone=zone)
    asked: list[tuple[Any, Any, int]] = [
        (("feature",), "day", 1000), (("feature", "model"), "day", 1), ((), "week", 1000), ((), "month", 1000),
    ]  # fmt: skip

    def answers() -> list[Any]:
        return [spend(store, scope, names, step, limit=limit, p95_interval=True) for names, step, limit in asked]

    before = answers()
    rollup = Rollup(store)
    rollup.run_once(datetime(2100, 1, 1, tzinfo=UTC))
    rollup.close()
    assert answers() == before
    writer = store.writer()
    noons_day = NOON.astimezone(ZoneInfo(zone)).date()
    unmoved = [n for n in range(24) if (DAY + n * HOUR).astimezone(ZoneInfo(zone)).date() == noons_day]
    assert 12 <= len(unmoved) < 24
    for table in ("latency_hours", "spend_hourly"):
        writer.run(
            f"ALTER TABLE {table} DELETE WHERE toHour(hour) IN {{hours:Array(UInt8)}} SETTINGS mutations_sync = 1",
            {"hours": unmoved},
        )
    assert answers() == before
    writer.run("TRUNCATE TABLE latency_daily")
    writer.close()
    assert answers() != before


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu"])
def test_days_that_begin_between_hours_are_those_of_their_calls(store: Store, zone: str) -> None:
    """From the rollups of hours, but for those that a day parts."""
    put(store, *varied())
    scope = Scope(Window(DAY - 12 * HOUR, DAY + timedelta(days=5)), timezone=zone)
    questions: list[tuple[Any, Any]] = [(("feature",), "day"), ((), "week")]
    before = [spend(store, scope, names, step, compare="previous") for names, step in questions]
    roll_up(store)
    assert [spend(store, scope, names, step, compare="previous") for names, step in questions] == before
    of_total, of_days = (
        {hour // 3600 % 24 for hour in parts_of(store, scope, "total").latency},
        {hour // 3600 % 24 for hour in parts_of(store, scope, "day").latency},
    )
    assert of_total - of_days == {18}, "midnight there is at 18:30, or at 18:15"


def varied() -> Iterator[dict[str, Any]]:
    """Calls over four days that differ in everything that a rollup keeps."""
    for n in range(120):
        at = timedelta(minutes=47 * n + (n % 7) * 3)
        cost = None if n % 11 == 0 else str(Decimal(n) / 1000)
        yield call(
            at,
            cost,
            feature=("search", "chat", "")[n % 3],
            team=("a", "b")[n % 2],
            model=("gpt-5", "gpt-5-mini", "claude-opus-4-1")[n % 3],
            status="error" if n % 13 == 0 else "ok",
            cost_state=("no_usage" if n % 2 else "unpriced") if cost is None else ("computed", "estimated")[n % 2],
            input_tokens=n * 10 if n % 5 else None,
            cache_read_tokens=n if n % 4 else None,
            output_tokens=n,
            duration_ns=(n + 1) * 37_000_000,
            cascade_name="c" if n % 4 == 0 else "",
            cascade_tier=n % 2 if n % 4 == 0 else None,
            attempt=1 + n % 2,
            match_kind=("exact", "dated+write_1h_at_5m", "exact+later_list")[n % 3],
            flags=["cached_input_unknown"] if n % 7 == 0 else [],
            cost_lines={} if cost is None else {"input": str(Decimal(n) / 2000), "output": str(Decimal(n) / 2000)},
        )


ADDED = ("calls", "errors", "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
moments = st.integers(-90, 5700).map(lambda minutes: DAY + timedelta(minutes=minutes))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(moments, min_size=3, max_size=3), dirty=st.sets(st.integers(0, 95), max_size=6))
def test_a_window_cut_in_two_sums_to_the_whole_whatever_is_clean(
    store: Store, cuts: list[datetime], dirty: set[int]
) -> None:
    if not store.query("SELECT count() AS n FROM calls")[0]["n"]:
        put(store, *varied())
    roll_up(store)
    put(store, *(call(hour * HOUR, "0.001", feature="late") for hour in dirty))
    start, middle, end = sorted(cuts)
    whole, first, second = (
        {row["feature"]: row for row in spend(store, Scope(Window(*window)), ["feature"])["rows"]}
        for window in ((start, end), (start, middle), (middle, end))
    )
    assert set(whole) == set(first) | set(second)
    for feature, row in whole.items():
        parts = [part[feature] for part in (first, second) if feature in part]
        for name in ADDED:
            assert row[name] == sum(part[name] or 0 for part in parts), name
        known = [part["cost_usd"] for part in parts if part["cost_usd"] is not None]
        assert row["cost_usd"] == (sum(known, Decimal(0)) if known else None)
    expected = store.query(
        "SELECT count() AS n, sum(cost_usd) AS usd FROM calls FINAL WHERE started_at >= {a:DateTime64(6, 'UTC')} "
        "AND started_at < {b:DateTime64(6, 'UTC')}",
        {"a": start, "b": end},
    )[0]
    total = spend(store, Scope(Window(start, end)))["total"]
    assert total["calls"] == expected["n"]
    assert (total["cost_usd"] or 0) == (expected["usd"] or 0)
