"""The forecaster never fails, follows what repeats, and covers what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay_analytics.forecast import backtest, forecast

BOUNDS = ("lo95", "lo80", "mean", "hi80", "hi95")


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.just(0.0), max_size=120),
    st.sampled_from(["D", "h"]),
    st.integers(0, 40),
)
@settings(max_examples=80, deadline=None)
def test_it_never_fails_and_its_bounds_are_in_order(y: list[float], freq: str, h: int) -> None:
    values = np.clip(np.nan_to_num(np.array(y, dtype=float), posinf=0, neginf=0), -1e12, 1e12)
    found = forecast(values, np.arange(len(values)).astype("datetime64[s]"), freq, h)
    for table in (found, found["total"]):
        rows = np.array([np.atleast_1d(table[name]) for name in BOUNDS], dtype=float)
        assert np.isfinite(rows).all()
        assert (np.diff(rows, axis=0) >= -1e-6 * (1 + np.abs(rows[:-1]))).all()
        assert (rows >= 0).all()
    assert all(len(found[name]) == h for name in BOUNDS)


def test_a_weekly_pattern_is_repeated() -> None:
    week = np.array([10.0, 12, 11, 13, 12, 3, 2])
    found = forecast(np.tile(week, 6), None, "D", 14)
    assert found["mean"] == pytest.approx(np.tile(week, 2), rel=0.02)
    assert found["total"]["mean"] == pytest.approx(2 * week.sum(), rel=0.01)


def test_a_daily_pattern_of_hours_is_repeated() -> None:
    day = 5 + 4 * np.sin(np.arange(24) / 24 * 2 * np.pi)
    assert forecast(np.tile(day, 14), None, "h", 48)["mean"] == pytest.approx(np.tile(day, 2), rel=0.02)


def test_a_new_level_is_followed() -> None:
    y = np.r_[np.full(60, 10.0), np.full(21, 30.0)]
    assert forecast(y, None, "D", 7)["mean"] == pytest.approx(30.0, rel=0.05)


def test_nothing_spent_forecasts_nothing() -> None:
    assert forecast(np.zeros(30), None, "D", 3)["total"] == dict.fromkeys(BOUNDS, 0.0)
    assert len(forecast([], None, "D", 3)["mean"]) == 3


def test_intervals_of_steps_and_totals_cover_about_what_they_say() -> None:
    r = np.random.default_rng(5)
    season = np.array([1.2, 1.1, 1.0, 1.1, 1.2, 0.7, 0.7])
    step80, total80, cases = 0.0, 0, 40
    for _ in range(cases):
        y = 100 * season[np.arange(74) % 7] * np.exp(r.normal(0, 0.1, 74))
        found, truth = forecast(y[:60], None, "D", 14), y[60:]
        step80 += float(np.mean((truth >= found["lo80"]) & (truth <= found["hi80"])))
        total80 += found["total"]["lo80"] <= truth.sum() <= found["total"]["hi80"]
    assert 0.68 <= step80 / cases <= 0.92
    assert total80 / cases >= 0.72


def test_a_backtest_counts_its_cases_and_says_nothing_about_short_histories() -> None:
    r = np.random.default_rng(1)
    noisy = 100 * np.tile([1.2, 1.1, 1.0, 1.1, 1.2, 0.7, 0.7], 10) * np.exp(r.normal(0, 0.15, 70))
    found = backtest(noisy, "D")
    assert found["cases"] == 12
    assert found["beats_seasonal_naive"] is True
    assert 0.5 <= found["coverage80"] <= 1
    assert 0 < found["mase"] < 1.4
    assert backtest(noisy[:15], "D") == {
        "mase": None,
        "coverage80": None,
        "coverage95": None,
        "beats_seasonal_naive": None,
        "cases": 0,
    }
