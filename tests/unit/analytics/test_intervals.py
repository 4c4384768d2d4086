"""Intervals hold what they promise: in one look, and however often somebody looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from outlay.optimizations.intervals import student_t_975
from outlay_analytics.questions.experiments import judge
from outlay_analytics.statistics.intervals import chi_square_tail, difference, interval, quantile_ranks, wilson
from outlay_analytics.statistics.moments import Moments
from outlay_analytics.statistics.sequential import LEAST_UNITS, always_valid, every_look_p, units_needed

DRAWS = {
    "half": lambda rng, size: (rng.random(size) < 0.5).astype(float),
    "rare failures": lambda rng, size: (rng.random(size) < 0.95).astype(float),
    "skewed": lambda rng, size: rng.exponential(1.0, size),
}


def moments(values: NDArray[np.float64]) -> Moments:
    n = len(values)
    total, squares = float(values.sum()), float((values * values).sum())
    return Moments(n, total, n, squares, n, total, bool(np.isin(values, (0, 1)).all()))


@pytest.mark.parametrize("kind", DRAWS)
def test_who_looks_every_day_is_misled_in_at_most_one_of_twenty(kind: str) -> None:
    """2,000 experiments without a difference, 16 looks each, most of them early."""
    rng = np.random.default_rng(11)
    looks = np.unique(np.geomspace(LEAST_UNITS, 3000, 16).astype(int))
    wrong = 0
    for _ in range(2000):
        values = DRAWS[kind](rng, (2, looks[-1]))
        sums, squares = np.cumsum(values, axis=1)[:, looks - 1], np.cumsum(values * values, axis=1)[:, looks - 1]
        for k, n in enumerate(looks.tolist()):
            first, second = (
                Moments(n, a, n, aa, n, a, kind != "skewed")
                for a, aa in zip(sums[:, k].tolist(), squares[:, k].tolist(), strict=True)
            )
            if judge(always_valid(first, second), 0.0) in ("better", "worse"):
                wrong += 1
                break
    assert wrong <= 0.05 * 2000


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("n", [40, 300])
def test_intervals_of_shares_and_their_differences_cover_the_truth(share: float, n: int) -> None:
    """Exact: over every possible outcome, weighed by its probability."""
    ways = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    inside = [found.low <= share <= found.high for found in (wilson(k, n) for k in range(n + 1))]  # type: ignore[operator]
    assert 0.925 <= sum(way for way, is_in in zip(ways, inside, strict=True) if is_in) <= 0.98
    rng = np.random.default_rng(3)
    covered = 0
    for first, second in zip(rng.binomial(n, share, 2000), rng.binomial(n, share - 0.1, 2000), strict=True):
        arms = [Moments(n, float(k), n, float(k), n, float(k), True) for k in (first, second)]
        found = difference(arms[0], arms[1])
        covered += found.low <= -0.1 <= found.high  # type: ignore[operator]
    assert 0.93 <= covered / 2000 <= 0.98


@pytest.mark.parametrize("n", [5, 30])
def test_intervals_of_means_cover_the_truth(n: int) -> None:
    rng = np.random.default_rng(5)
    covered = [0, 0]
    for _ in range(3000):
        first, second = moments(rng.normal(10, 2, n)), moments(rng.normal(11, 5, 2 * n))
        one, both = interval(first), difference(first, second)
        covered[0] += one.low <= 10 <= one.high  # type: ignore[operator]
        covered[1] += both.low <= 1 <= both.high  # type: ignore[operator]
    assert all(0.93 <= count / 3000 <= 0.97 for count in covered), covered


def test_ratios_of_units_with_several_calls_cover_the_truth() -> None:
    """Calls of a unit are alike: an interval over calls would be far too narrow."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(2000):
        calls = rng.poisson(4, 200) + 1.0
        cost = calls * rng.gamma(4, 0.25, 200)
        sums = [float(one) for one in (cost.sum(), calls.sum(), cost @ cost, calls @ calls, cost @ calls)]
        found = interval(Moments(200, sums[0], sums[1], sums[2], sums[3], sums[4], shares=False))
        covered += found.low <= 1.0 <= found.high  # type: ignore[operator]
    assert 0.93 <= covered / 2000 <= 0.97


def test_as_many_more_units_as_said_make_the_interval_narrow_enough() -> None:
    first, second = Moments(100, 60, 100, 60, 100, 60, True), Moments(100, 66, 100, 66, 100, 66, True)
    more = units_needed(first, second, 0.06)
    assert more is not None
    times = (200 + more) / 200
    grown = [
        Moments(round(m.units * times), m.a * times, m.b * times, m.aa * times, m.bb * times, m.ab * times)
        for m in (first, second)
    ]
    found = always_valid(grown[0], grown[1])
    assert found.high is not None
    assert found.low is not None
    assert (found.high - found.low) / 2 == pytest.approx(0.06, rel=0.02)


def test_quantiles_and_tails_are_those_of_the_tables() -> None:
    for degrees, quantile in ((1, 12.706), (2, 4.303), (3, 3.182), (10, 2.228), (30, 2.042), (1e6, 1.960)):
        assert student_t_975(degrees) == pytest.approx(quantile, rel=0.007)
    for degrees, point in ((1, 3.841), (2, 5.991), (3, 7.815), (4, 9.488), (7, 14.067), (20, 31.410)):
        assert chi_square_tail(point, degrees) == pytest.approx(0.05, rel=0.001)
    assert chi_square_tail(0, 3) == 1.0


def test_nothing_is_computed_from_less_than_it_needs() -> None:
    assert wilson(0, 0).value is None
    assert interval(Moments()).value is None
    alone = interval(Moments(1, 3.5, 1, 12.25, 1, 3.5, False))
    assert (alone.value, alone.low) == (3.5, None)
    same = interval(Moments(5, 10.5, 5, 22.05, 5, 10.5, False))
    assert (same.value, same.low) == (2.1, None)


@pytest.mark.parametrize("n", [72, 300, 30_000])
def test_intervals_of_percentiles_cover_them_whatever_the_durations(n: int) -> None:
    ranks = quantile_ranks(n, 0.95)
    assert ranks is not None
    rng = np.random.default_rng(17)
    below = rng.binomial(n, 0.95, 4000)  # how many of n calls are faster than the true percentile
    covered = float(np.mean((below >= ranks[0]) & (below < ranks[1])))
    assert 0.945 <= covered <= 0.985
    assert quantile_ranks(71, 0.95) is None  # the slowest of so few may still be faster
    assert quantile_ranks(0, 0.95) is None


def test_who_checks_the_split_every_day_is_misled_as_rarely_as_promised() -> None:
    """2,000 experiments that are split as asked, ten looks each; then some that are not."""
    rng = np.random.default_rng(13)
    for shares in ((0.5, 0.5), (0.9, 0.1), (0.5, 0.3, 0.2)):
        days = rng.multinomial(25, shares, (2000, 60)).cumsum(axis=1)
        lowest = [min(every_look_p(look, shares) for look in looks[::6]) for looks in days.tolist()]
        assert sum(p <= 0.05 for p in lowest) <= 0.05 * 2000
        assert sum(p <= 0.001 for p in lowest) <= 0.001 * 2000
    uneven = rng.multinomial(2000, (0.58, 0.42), 500).tolist()
    assert sum(every_look_p(look, (0.5, 0.5)) < 0.001 for look in uneven) > 0.9 * 500
    assert every_look_p([51_000, 49_000], (0.5, 0.5)) < 1e-6  # two per cent of a hundred thousand, too
    assert every_look_p([1, 1], (0.5, 0.5)) == 1.0
