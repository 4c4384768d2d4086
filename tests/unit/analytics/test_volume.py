"""A rise of spend is told by what strays from the usual, not by the noise of quiet hours nor by an hour's shift."""

from __future__ import annotations

import numpy as np
import pytest

from outlay_analytics.anomalies.detector import score
from outlay_analytics.anomalies.volume import volume
from outlay_analytics.anomalies.watching import watch
from outlay_analytics.query.arrays import Floats

HOURS = 45 * 24
T = np.arange(HOURS)


def measures(calls: Floats, usd: float = 0.01) -> Floats:
    """Hours of one feature whose calls are all alike."""
    return np.stack([calls * usd, calls, calls * 1000.0, calls * 500.0, calls * 100.0, calls * 0.0], axis=1)


def test_one_loud_hour_by_day_is_told_however_erratic_the_nights_are() -> None:
    for seed in range(4):
        noise = np.random.default_rng(seed)
        day = T % 24 >= 8
        rate = np.where(day, 100.0 * noise.gamma(30, 1 / 30, HOURS), 4.0 * noise.gamma(0.6, 1 / 0.6, HOURS))
        calls = noise.poisson(rate).astype(float)
        calls[40 * 24 + 14] *= 3.2
        assert volume(calls)[40 * 24 + 14] > 1, seed


@pytest.mark.parametrize("later", [1, -1])
def test_clocks_that_change_are_no_incident(later: int) -> None:
    """Working days from eight to six and a job at two each night, which come an hour earlier or later from a Sunday."""
    for seed in range(2):
        local = T - later * (T >= 34 * 24 + 2)
        shape = np.where((local % 24 >= 8) & (local % 24 < 18), 100.0, 15.0) * np.where(local // 24 % 7 >= 5, 0.3, 1.0)
        shape[local % 24 == 2] = 160
        assert watch([((), measures(np.random.default_rng(seed).poisson(shape).astype(float)))], 0, 0.1) == []


def test_longer_windows_fall_silent_when_it_is_over() -> None:
    calls = np.random.default_rng(2).poisson(60 * (1 + 0.5 * np.sin(T / 24 * 2 * np.pi))).astype(float)
    calls[35 * 24 : 38 * 24] *= 2.5
    told = volume(calls) > 1
    assert told[35 * 24 : 38 * 24].mean() > 0.7
    assert not told[39 * 24 :].any()


def test_a_few_dear_calls_among_many_are_chance() -> None:
    """One call in ten costs sixteen times the others: what an hour of a call or two spends says little."""
    told = 0
    for seed in range(8):
        noise = np.random.default_rng(seed)
        calls = noise.poisson(1.0 + 0.5 * np.sin(T / 24 * 2 * np.pi)).astype(float)
        data = measures(calls)
        data[:, 0] *= 1 + 15 * noise.binomial(calls.astype(int), 0.1) / np.maximum(calls, 1)
        told += sum(one.channel == "spend" for one in watch([((), data)], 0, 0.01))
    assert told <= 1


def test_alone_a_series_speaks_of_what_begins_and_not_for_days_of_what_lasts() -> None:
    begun = 35 * 24
    for seed in range(4):
        calls = np.random.default_rng(seed).poisson(100 * (1 + 0.5 * np.sin(T / 24 * 2 * np.pi))).astype(float)
        calls[begun:] *= 1.6
        told = np.flatnonzero(score(T.astype("datetime64[h]"), calls) >= 0.5)
        assert len(told)
        assert begun <= told.min()
        assert told.max() < begun + 48
