"""Hours, days, weeks and months are those of the asked zone's clocks, in the store as in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.hand_calls import call, put, roll_up

from outlay_analytics.forecast.projection import look_ahead
from outlay_analytics.query.calendar import PERIODS, next_start, spend_series, start_of, ticks
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window, bucket_sql
from outlay_analytics.questions.spend import spend
from outlay_collector.store import Store
from outlay_web.charts import buckets

ZONES = (
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Asia/Tehran",
    "Australia/Adelaide",
    "Australia/Lord_Howe",  # its clocks move by half an hour
    "Pacific/Chatham",
    "America/Havana",  # its clocks move at midnight
    "Asia/Beirut",
    "Africa/Cairo",
    "America/New_York",
    "Europe/Berlin",
    "Pacific/Kiritimati",
)
HOUR = timedelta(hours=1)
SPRING = datetime(2026, 3, 30, 12, tzinfo=UTC)  # clocks moved on the days before, in New York three weeks ago
ZONE = st.sampled_from(ZONES)
INSTANT = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(ZONE, INSTANT, st.sampled_from(("hour", *PERIODS)))
@example("Australia/Lord_Howe", datetime(2026, 4, 5, 13, 50, tzinfo=UTC), "hour")
def test_an_instant_lies_in_its_interval_which_the_next_one_follows(zone: str, at: datetime, interval: str) -> None:
    start, after = start_of(at, interval, zone), next_start(at, interval, zone)
    assert start <= at < after
    assert start_of(start, interval, zone) == start
    assert start_of(after, interval, zone) == after
    assert start_of(after - timedelta(microseconds=1), interval, zone) == start


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zone=ZONE, ats=st.lists(INSTANT, min_size=40, max_size=40))
def test_the_store_has_the_same_calendar(store: Store, zone: str, ats: list[datetime]) -> None:
    for interval in ("hour", "day", "week", "month"):
        instants = "SELECT arrayJoin({ats:Array(DateTime64(6, 'UTC'))}) AS at"
        sql = f"SELECT {bucket_sql(interval, 'at')} AS start FROM ({instants})"
        rows = store.query(sql, {"timezone": zone, "ats": ats})
        assert [row["start"] for row in rows] == [start_of(at, interval, zone) for at in ats]


@pytest.fixture
def spring(store: Store) -> Store:
    """Ten weeks of one call each twenty-five minutes, each of another amount, the older ones rolled up."""
    count = 70 * 24 * 60 // 25
    put(store, *[call(SPRING - n * timedelta(minutes=25), str(n + 1)) for n in range(count)])
    roll_up(store)
    return store


def paid(start: datetime, end: datetime) -> Decimal:
    """What the calls of `spring` in [start, end) cost."""
    return Decimal(sum(n + 1 for n in range(70 * 24 * 60 // 25) if start <= SPRING - n * timedelta(minutes=25) < end))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zone=ZONE, period=st.sampled_from(PERIODS), minutes=st.integers(0, 30 * 24 * 60))
@example("Asia/Kolkata", "day", (17 * 60 + 25))  # 00:05 there
def test_what_a_budget_has_spent_is_what_the_calls_of_its_window_cost(
    spring: Store, zone: str, period: str, minutes: int
) -> None:
    now = SPRING - timedelta(minutes=minutes)
    projection = look_ahead(spring, Scope(Window(now, now), timezone=zone), period, now)
    assert projection.window.start == start_of(now, period, zone)
    assert projection.spent_usd == paid(projection.window.start, now)


@pytest.mark.parametrize("zone", ZONES)
def test_hours_are_those_of_the_zones_clocks_and_add_up(spring: Store, zone: str) -> None:
    window = Window(SPRING - timedelta(days=2, minutes=7), SPRING)
    scope = Scope(window, timezone=zone)
    series = spend_series(spring, scope, "hour")
    for (start, end), usd in zip(pairwise([*series.times, window.end]), series.usd, strict=True):
        assert usd == paid(max(start, window.start), end)
    rows = spend(spring, scope, interval="hour")["rows"]
    by_hour = {start_of(row["time"], "hour", zone): row["cost_usd"] for row in rows}
    assert by_hour == {at: usd for at, usd in zip(series.times, series.usd, strict=True) if usd}
    assert [step.start for step in buckets(window.start, window.end, "hour", zone)] == series.times
    assert ticks(window, "hour", zone) == series.times
