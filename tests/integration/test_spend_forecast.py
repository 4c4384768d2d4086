"""The spend forecast on worlds whose end is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.hand_calls import call, put

from outlay_analytics.forecast import spend_forecast
from outlay_analytics.window import BadRequest, Scope, Window
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
