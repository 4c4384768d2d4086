"""The forecaster never fails, follows what repeats, and covers what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outlay_analytics.forecast.spend import backtest, forecast
from outlay_analytics.query.arrays import Floats

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


SHAPES = st.sampled_from(
    ["steady", "noisy", "zeros", "one point", "begins", "ends", "spike now", "gaps", "tiny", "huge"]
)


def shaped(shape: str, count: int, seed: int, day: int) -> Floats:
    """A history of `count` steps (`day` of them a day)."""
    r = np.random.default_rng(seed)
    y = (1 + 0.5 * np.sin(np.arange(count) / max(day, 7) * 2 * np.pi)) * np.exp(r.normal(0, 0.1, count))
    last = max(count - 4 * day, 0)
    if shape == "noisy":
        y = np.exp(r.normal(0, 2, count))
    elif shape == "zeros":
        y *= r.random(count) < 0.1
    elif shape == "one point":
        y[:-1] = 0
    elif shape == "begins":
        y[:last] *= 1e-6
    elif shape == "ends":
        y[last:] = 0
    elif shape == "spike now":
        y[-1:] *= 1000
    elif shape == "gaps":
        y[r.random(count) < 0.2] = np.nan
    elif shape == "tiny":
        y *= 1e-9
    elif shape == "huge":
        y *= 1e12
    return y


@given(
    SHAPES,
    st.sampled_from([("D", 1), ("h", 24)]),
    st.one_of(st.integers(0, 100), st.integers(0, 400)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
)
@example("steady", ("h", 24), 45, 1, 24)
@example("steady", ("h", 24), 46, 1, 24)
@example("steady", ("h", 24), 47, 1, 24)
@example("noisy", ("h", 24), 400 * 24, 1, 24)
@settings(max_examples=100, deadline=None)
def test_any_history_has_finite_and_sane_bounds(
    shape: str, unit: tuple[str, int], count: int, seed: int, h: int
) -> None:
    freq, day = unit
    y = shaped(shape, count, seed, day)
    found = forecast(y, None, freq, h)
    largest = max(float(np.nanmax(y, initial=0.0)), float(found["mean"].max()))
    for name in BOUNDS:
        assert np.isfinite(found[name]).all()
        assert (found[name] >= 0).all()
    assert found["mean"].max() <= 3 * np.nanmax(y, initial=0.0) * (1 + 1e-9)
    assert found["hi95"].max() <= 3 * largest * (1 + 1e-9)
    total, together = found["total"], h**0.1
    for level in ("80", "95"):
        below, above = (found["mean"] - found[f"lo{level}"]).sum(), (found[f"hi{level}"] - found["mean"]).sum()
        assert total[f"hi{level}"] - total["mean"] <= together * above * (1 + 1e-9) + 1e-12
        assert total["mean"] - total[f"lo{level}"] <= together * max(below, above) * (1 + 1e-9) + 1e-12
    if h == 1:  # the total of one step is that step
        assert [total[name] for name in BOUNDS] == pytest.approx([float(found[name][0]) for name in BOUNDS])


def test_a_forecast_is_the_same_in_every_unit() -> None:
    r = np.random.default_rng(2)
    y = np.exp(r.normal(0, 0.3, 60))
    dollars, nano = forecast(y, None, "D", 14), forecast(y * 1e-9, None, "D", 14)
    for name in BOUNDS:
        assert nano[name] == pytest.approx(dollars[name] * 1e-9)
        assert nano["total"][name] == pytest.approx(dollars["total"][name] * 1e-9)


def test_a_step_that_is_unknown_does_not_count_as_zero() -> None:
    week = np.array([10.0, 12, 11, 13, 12, 3, 2])
    y = np.tile(week, 5)
    y[-4] = np.nan
    assert forecast(y, None, "D", 7)["mean"] == pytest.approx(week, rel=0.02)


@pytest.mark.parametrize("count", range(1, 60))
def test_fourteen_hours_and_a_few_dollars_bound_the_next_ones(count: int) -> None:
    """Bounds are of the size of what was spent, however short the history of hours is."""
    r = np.random.default_rng(count)
    y = np.exp(r.normal(-1, 0.8, count))
    found = forecast(y, None, "h", 24)
    assert found["hi80"].max() <= 3 * y.max()
    assert found["total"]["hi95"] <= 24**1.1 * 3 * y.max()


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


def test_a_calm_beginning_does_not_make_the_error_of_a_forecast_look_large() -> None:
    """Three weeks that hardly vary, then ordinary noise: what the error is measured by is not one origin's."""
    r = np.random.default_rng(2)
    y = 100 * np.tile([1.2, 1.1, 1.0, 1.1, 1.2, 0.7, 0.7], 9)
    y *= np.exp(r.normal(0, 1, 63) * np.where(np.arange(63) < 21, 0.005, 0.15))
    found = backtest(y, "D")
    assert found["beats_seasonal_naive"] is True
    assert 0 < found["mase"] < 2.5


def test_where_last_week_again_is_never_off_there_is_nothing_to_beat() -> None:
    found = backtest(np.concatenate([[5.0, 12.0, 14.0], np.zeros(40)]), "D")
    assert found["error_ratio"] is None
    assert found["beats_seasonal_naive"] is None


def test_a_backtest_counts_its_cases_and_says_nothing_about_short_histories() -> None:
    r = np.random.default_rng(1)
    noisy = 100 * np.tile([1.2, 1.1, 1.0, 1.1, 1.2, 0.7, 0.7], 10) * np.exp(r.normal(0, 0.15, 70))
    found = backtest(noisy, "D")
    assert found["cases"] == 12
    assert found["beats_seasonal_naive"] is True
    assert 0.5 <= found["coverage80"] <= 1
    assert 0 < found["mase"] < 1.4
    assert 0.5 < found["error_ratio"] < 1
    assert backtest(noisy[:15], "D") == {
        "mase": None,
        "error_ratio": None,
        "coverage80": None,
        "coverage95": None,
        "beats_seasonal_naive": None,
        "cases": 0,
    }


def test_two_days_of_the_last_week_that_stood_out_hardly_change_the_next_one() -> None:
    week = np.array([100, 105, 102, 98, 95, 40, 35.0])
    errors = []
    for seed in range(4):
        y = np.tile(week, 8) * np.random.default_rng(seed).normal(1, 0.05, 56)
        y[[51, 53]] *= 0.2  # an outage that nobody told of
        errors.append(np.abs(forecast(y, None, "D", 7)["mean"] - week).mean())
    assert np.mean(errors) < 7.5
