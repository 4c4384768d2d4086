"""The spend forecast on worlds whose end is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from tests.hand_calls import call, put

from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budgets import list_budgets
from outlay_analytics.alerting.judge import judge_budgets
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.forecast.projection import look_ahead
from outlay_analytics.forecast.spend import spend_forecast
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.report import daily_report
from outlay_collector.store import Store

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def world(store: Store, days: int, usd: str = "1") -> None:
    """One call an hour, up to NOW."""
    put(store, *[call(NOW - timedelta(hours=k + 1), usd, feature="search") for k in range(days * 24)])


def scope(days: int = 30, **filters: tuple[str, ...]) -> Scope:
    return Scope(Window(NOW - timedelta(days=days), NOW), filters)


def test_steady_spend_ends_the_month_where_it_must(store: Store) -> None:
    world(store, 60)
    found = spend_forecast(store, scope(), 14, "day", Decimal(700), NOW)
    assert len(found["forecast"]) == 14
    assert found["forecast"][0]["time"] == datetime(2026, 3, 20, tzinfo=UTC)
    assert float(found["forecast"][0]["mean_usd"]) == pytest.approx(24, rel=0.03)
    end = found["month_end"]
    assert end["spent_usd"] == 19 * 24 + 12
    assert float(end["mean_usd"]) == pytest.approx(31 * 24, rel=0.02)
    assert end["probability_over"] > 0.95
    assert end["budget_usd"] == 700
    assert found["backtest"]["cases"] == 12
    assert found["history"][-1] == {"time": datetime(2026, 3, 19, tzinfo=UTC), "cost_usd": Decimal(24)}


def test_hours_can_be_asked_for(store: Store) -> None:
    world(store, 10)
    found = spend_forecast(store, scope(), 2, "hour", None, NOW)
    assert len(found["forecast"]) == 48
    assert float(found["forecast"][5]["mean_usd"]) == pytest.approx(1, rel=0.05)
    assert found["month_end"]["probability_over"] is None


def test_too_short_a_history_is_said_not_guessed(store: Store) -> None:
    world(store, 2)
    found = spend_forecast(store, scope(), 7, "day", Decimal(10), NOW)
    assert found["forecast"][0]["mean_usd"] is None
    assert found["month_end"]["mean_usd"] is None
    assert found["month_end"]["probability_over"] == 1.0  # $48 are already spent
    assert found["backtest"]["cases"] == 0
    assert any("too few" in note for note in found["notes"])


def test_nothing_at_all_is_answered_too(store: Store) -> None:
    found = spend_forecast(store, scope(feature=("nobody",)), 7, "day", Decimal(10), NOW)
    assert found["month_end"]["spent_usd"] == 0
    assert found["month_end"]["probability_over"] is None


def test_a_window_that_ended_is_forecast_as_of_its_end(store: Store) -> None:
    world(store, 60)
    past = Scope(Window(NOW - timedelta(days=50), NOW - timedelta(days=20)))
    found = spend_forecast(store, past, 7, "day", None, NOW)
    assert found["as_of"] == NOW - timedelta(days=20)
    assert found["forecast"][0]["time"] == datetime(2026, 2, 28, tzinfo=UTC)


def test_impossible_questions_are_refused(store: Store) -> None:
    for horizon, interval in ((0, "day"), (401, "day"), (32, "hour"), (5, "week")):
        with pytest.raises(BadRequest):
            spend_forecast(store, scope(), horizon, interval, None, NOW)


def quiet_day(store: Store, ago: int, *, elsewhere: bool) -> Decimal:
    """What is expected of the same weekday after a day without calls of `search`, four weeks of one an hour before."""
    day = NOW.replace(hour=0) - timedelta(days=ago)
    times = [NOW - timedelta(hours=k + 1) for k in range(28 * 24)]
    put(store, *[call(at, "1", feature="search") for at in times if not day <= at < day + timedelta(days=1)])
    if elsewhere:
        put(store, *[call(at, "0", feature="triage") for at in times])
    found = spend_forecast(store, scope(feature=("search",)), 7, "day", None, NOW)
    gaps = [note for note in found["notes"] if "nothing arrived" in note]
    assert gaps == ([] if elsewhere else [f"nothing arrived on {day.day} March: such gaps are not learned from"])
    same = next(row for row in found["forecast"] if row["time"].weekday() == day.weekday())
    expected: Decimal = same["mean_usd"]
    return expected


def test_a_day_on_which_nothing_arrived_is_not_learned_from_and_is_told(store: Store) -> None:
    assert float(quiet_day(store, 4, elsewhere=False)) == pytest.approx(24, rel=0.02)


def test_a_day_without_calls_beside_others_counts_as_nothing_spent(store: Store) -> None:
    assert quiet_day(store, 4, elsewhere=True) < 23


def test_a_silence_that_lasts_is_no_gap(store: Store) -> None:
    put(store, *[call(NOW - timedelta(days=4, hours=k), "1") for k in range(28 * 24)])
    found = spend_forecast(store, scope(), 7, "day", None, NOW)
    assert not [note for note in found["notes"] if "nothing arrived" in note]
    assert found["forecast"][0]["mean_usd"] < 23


def test_a_month_with_a_day_to_go_is_as_uncertain_as_that_day(store: Store) -> None:
    noise = np.random.default_rng(8)
    last = datetime(2026, 3, 31, tzinfo=UTC)
    put(store, *[call(last - timedelta(hours=k + 1), f"{noise.lognormal(0, 0.5):.6f}") for k in range(60 * 24)])
    found = spend_forecast(store, Scope(Window(last - timedelta(days=30), last)), 1, "day", None, last)
    day, month = found["forecast"][0], found["month_end"]
    for name in ("mean_usd", "lo80_usd", "hi80_usd", "lo95_usd", "hi95_usd"):
        assert float(month[name]) == pytest.approx(float(month["spent_usd"] + day[name]))
    assert month["lo80_usd"] > month["spent_usd"]


def test_forecast_month_and_budgets_expect_less_of_holidays_and_say_which_are_known(store: Store) -> None:
    """Ten dollars a working day, four on others; on a day off long ago nothing came, which is no gap."""
    days = [(NOW - timedelta(days=k)).replace(hour=0) for k in range(1, 71)]
    off = Holidays((), {date(2026, 2, 11): "day off", date(2026, 3, 25): "carnival"})
    rows = [call(day, "4" if day.weekday() >= 5 else "10", feature="search") for day in days]
    put(store, *(row for row in rows if row["started_at"].date() != date(2026, 2, 11)))
    knows = replace(scope(), holidays=off)
    found = spend_forecast(store, knows, 14, "day", None, NOW)
    assert [(one["day"], one["name"]) for one in found["holidays"]] == [(date(2026, 3, 25), "carnival")]
    assert found["notes"] == ["the holiday to come: expected from one past and the week's quietest day"]
    means = {row["time"].date(): float(row["mean_usd"]) for row in found["forecast"]}
    plain = {
        row["time"].date(): float(row["mean_usd"]) for row in spend_forecast(store, scope(), 14, now=NOW)["forecast"]
    }
    assert means[date(2026, 3, 25)] < 3 < 9 < plain[date(2026, 3, 25)]
    assert means[date(2026, 3, 26)] == pytest.approx(10, rel=0.05)
    less = plain[date(2026, 3, 25)] - means[date(2026, 3, 25)]
    months = [look_ahead(store, one, "month", NOW).total for one in (scope(), knows)]
    assert months[0]["mean"] - months[1]["mean"] == pytest.approx(less, rel=0.1)
    budget = Budget("all", Decimal(150))
    projected = [list_budgets(store, "default", NOW, [budget], one)[0]["projected_usd"] for one in (NO_HOLIDAYS, off)]
    assert float(projected[0] - projected[1]) == pytest.approx(less, rel=0.1)
    judged = judge_budgets(store, [replace(budget, amount_usd=projected[1] + 2)], AlertSettings(holidays=off), NOW)
    assert judged[0].findings["projected_over_budget"] is None
    expected = daily_report(store, "default", date(2026, 3, 20), now=NOW, holidays=Holidays((), {NOW.date(): "off"}))
    assert float(expected["forecast"]["mean_usd"]) < 7 < float(plain[NOW.date()])
