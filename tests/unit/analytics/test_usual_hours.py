"""What hours usually bring is known better than from the same hour of three weeks, and stays sharp."""

from __future__ import annotations

import numpy as np

from outlay_analytics.anomalies.detector import expected
from outlay_analytics.anomalies.usual import usual_hours

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
        usual = usual_hours(spent, HOURS - 100)
        for hours in (last, edges):
            off, plain = (np.mean((one[hours] - true[hours]) ** 2 / true[hours]) for one in (usual, expected(spent)))
            assert off < 0.6 * plain, (seed, off, plain)


def test_a_young_series_is_smoothed_and_what_is_not_known_stays_unknown() -> None:
    spent = np.random.default_rng(1).poisson(20.0, 17 * 24).astype(float)
    usual = usual_hours(spent, 16 * 24)
    assert np.isnan(usual[0])
    assert abs(usual[24:].mean() - 20) < 2
    assert usual_hours(np.zeros(HOURS), 700)[600:].max() == 0
