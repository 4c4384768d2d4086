"""What hours usually bring is known better than from the same hour of three weeks, and stays sharp."""

from __future__ import annotations

import numpy as np
import pytest

from outlay_analytics.anomalies.excess import level
from outlay_analytics.anomalies.expected import expected_hours
from outlay_analytics.anomalies.volume import median_of_weeks

HOURS = 6 * 168
T = np.arange(HOURS)


def test_noise_is_taken_out_where_a_weekend_begins_and_a_job_runs_each_night_too() -> None:
    """Days begin at eight in UTC; at two in the night a job costs ten times the hours beside it."""
    local = T - 8
    true = 30 * (1 + 0.5 * np.sin(local / 24 * 2 * np.pi)) * np.where((local // 24) % 7 >= 5, 0.3, 1.0)
    true[local % 24 == 2] *= 10
    last = slice(HOURS - 168, HOURS)
    edges = last.start + np.flatnonzero((local[last] % 24 < 3) | (local[last] % 24 > 21))
    for seed in range(4):
        spent = np.random.default_rng(seed).poisson(true).astype(float)
        expected = expected_hours(spent, HOURS - 100)
        for hours in (last, edges):
            off, plain = (
                np.mean((one[hours] - true[hours]) ** 2 / true[hours]) for one in (expected, median_of_weeks(spent))
            )
            assert off < 0.6 * plain, (seed, off, plain)


def test_a_young_series_is_smoothed_and_what_is_not_known_stays_unknown() -> None:
    spent = np.random.default_rng(1).poisson(20.0, 17 * 24).astype(float)
    expected = expected_hours(spent, 16 * 24)
    assert np.isnan(expected[0])
    assert abs(expected[24:].mean() - 20) < 2
    assert expected_hours(np.zeros(HOURS), 700)[600:].max() == 0


@pytest.mark.parametrize(("per_hour", "off"), [(0.2, 0.12), (1.0, 0.06), (5.0, 0.03), (100.0, 0.01)])
def test_what_is_expected_adds_up_to_what_comes_however_few_calls_there_are(per_hour: float, off: float) -> None:
    """By day, in a night and over a weekend; chance alone moves the mean of these seeds by a third of `off`."""
    true = (1 + 0.5 * np.sin(T / 24 * 2 * np.pi)) * np.where(T // 24 % 7 >= 5, 0.4, 1.0)
    true *= per_hour / true[:168].mean()
    first = HOURS - 9 * 24  # a Saturday's first hour
    expects = np.zeros(HOURS)
    seeds = 60 if per_hour < 5 else 15
    for seed in range(seeds):
        data = np.zeros((HOURS, 6))
        data[:, 0] = data[:, 1] = np.random.default_rng(seed).poisson(true)
        expected = expected_hours(data[:, 0], first)
        expects += np.nan_to_num(expected) * level(data, expected, first) / seeds
    for hours in (slice(first, first + 168), slice(first, first + 48), slice(first + 48, first + 168)):
        assert abs(expects[hours].sum() / true[hours].sum() - 1) < off, hours
    nights = np.flatnonzero((first <= T) & (first + 168 > T) & (T % 24 >= 13))
    assert abs(expects[nights].sum() / true[nights].sum() - 1) < off
