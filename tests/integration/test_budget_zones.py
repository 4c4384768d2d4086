"""Budgets by the clocks of places: half-hour zones, days of 23, 23.5, 24.5 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from tests.alerting_world import SETTINGS
from tests.hand_calls import call, put

from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budgets import list_budgets
from outlay_analytics.alerting.judge import judge_budgets
from outlay_collector.store import Store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PLACES = {  # a day there, and how many hours it has
    "Asia/Kolkata": (datetime(2026, 3, 20), 24),
    "Asia/Kathmandu": (datetime(2026, 3, 20), 24),
    "America/St_Johns": (datetime(2026, 3, 8), 23),
    "Europe/Berlin": (datetime(2026, 3, 29), 23),
    "Europe/Dublin": (datetime(2026, 10, 25), 25),
    "Australia/Lord_Howe": (datetime(2026, 4, 5), 24.5),
    "Pacific/Chatham": (datetime(2026, 9, 27), 23),
}


@pytest.fixture(scope="module")
def ends() -> dict[str, tuple[datetime, datetime]]:
    """When the day of each place begins and ends."""
    found = {}
    for zone, (day, _) in PLACES.items():
        here = ZoneInfo(zone)
        begins, stops = (at.replace(tzinfo=here).astimezone(UTC) for at in (day, day + timedelta(days=1)))
        found[zone] = begins, stops
    return found


def test_a_day_holds_its_calls_whatever_the_clocks_do_and_a_window_is_as_long_as_it_says(
    store: Store, ends: dict[str, tuple[datetime, datetime]]
) -> None:
    for zone, (begins, stops) in ends.items():
        assert (stops - begins) / HOUR == PLACES[zone][1], zone
        for number, at in enumerate((begins - MINUTE, begins, begins + 25 * MINUTE, stops - MINUTE, stops)):
            put(store, call(at, f"{2**number}", user=f"u{number}", feature=zone, project=zone))
    for zone, (begins, stops) in ends.items():
        scope = {"feature": (zone,)}
        budgets = [
            Budget("day", Decimal(1), "day", scope, zone, project=zone),
            Budget("any user", Decimal(1), "day", scope, zone, project=zone, per="user"),
            Budget("last day", Decimal(1), "day", scope, zone, project=zone, window_hours=24),
        ]
        for at, day, largest, last in (
            (begins, 0, 0, 1),
            (begins + 30 * MINUTE, 6, 4, 7),
            (stops - timedelta(seconds=1), 14, 8, None),
        ):
            spent = {one["name"]: one["spent_usd"] for one in list_budgets(store, zone, at, budgets)}
            assert (spent["day"], spent["any user"]) == (day, largest), (zone, at)
            expected = sum(
                2**k
                for k, when in enumerate((begins - MINUTE, begins, begins + 25 * MINUTE, stops - MINUTE, stops))
                if at - timedelta(hours=24) <= when < at
            )
            assert spent["last day"] == expected, (zone, at)
            assert last in (None, expected)
        (first, *_) = judge_budgets(store, budgets, SETTINGS, begins + 30 * MINUTE)
        over = first.findings["over_budget"]
        assert over is not None
        assert over.reason.endswith(f"since {PLACES[zone][0]:%-d %B} ({zone})")
