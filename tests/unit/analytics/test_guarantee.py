"""Thresholds keep what they promise, and are not careful for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from outlay_analytics.statistics.guarantee import Certified, Step, at_most, certify, least_scored, upper_bound

GRID = np.round(np.linspace(0, 1, 81), 4)
ERROR, RISK = 0.1, 0.1


def world() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The part of the runs between each step of the grid and the next, and how often their answers are wrong."""
    middle = (GRID[:-1] + GRID[1:]) / 2
    part = middle**1.5 * (1 - middle) ** 0.5
    return part / part.sum(), 0.45 * (1 - middle) ** 1.2 + 0.01


def log(rng: np.random.Generator, n: int) -> list[Step]:
    """Scored runs by threshold."""
    part, wrong = world()
    runs = rng.multinomial(n, part)
    failed = rng.binomial(runs, wrong)
    above = [np.cumsum(one[::-1])[::-1].tolist() for one in (runs, failed)]
    return [Step(float(at), scored, bad) for at, scored, bad in zip(GRID[:-1], *above, strict=True) if scored]


def truth() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True share of wrong answers, and of answers kept, at each threshold of the grid."""
    part, wrong = world()
    kept, bad = (np.cumsum(one[::-1])[::-1] for one in (part, part * wrong))
    return bad / kept, kept


def test_the_promise_is_broken_in_at_most_one_of_ten_logs_and_the_saving_is_near_the_best() -> None:
    rng, (share, kept) = np.random.default_rng(4), truth()
    place = {float(at): number for number, at in enumerate(GRID[:-1])}
    best = kept[share <= ERROR].max()
    broken, savings = 0, []
    for _ in range(1000):
        found = certify(log(rng, 5000), ERROR, RISK)
        assert found.threshold is not None
        broken += share[place[found.threshold]] > ERROR
        savings.append(kept[place[found.threshold]])
    assert broken <= RISK * 1000
    assert np.mean(savings) >= 0.9 * best


@pytest.mark.parametrize("n", [60, 300])
def test_short_logs_keep_the_promise_too(n: int) -> None:
    rng, (share, _) = np.random.default_rng(n), truth()
    place = {float(at): number for number, at in enumerate(GRID[:-1])}
    found = [certify(log(rng, n), ERROR, RISK).threshold for _ in range(1000)]
    assert sum(share[place[one]] > ERROR for one in found if one is not None) <= RISK * 1000


def test_too_few_scored_answers_say_how_many_are_missing() -> None:
    assert least_scored(0.02, 0.05) == 149  # 0.98 ** 149 is below 5 %
    assert certify([Step(0.5, 100, 0), Step(0.9, 20, 0)], 0.02, 0.05) == Certified(None, missing=60)
    assert certify([], 0.02, 0.05).missing == 160
    assert certify([Step(0.5, 160, 0)], 0.02, 0.05).threshold == 0.5


def test_where_too_many_are_wrong_nothing_is_certified() -> None:
    assert certify([Step(0.5, 1000, 400), Step(0.9, 600, 120)], 0.02, 0.05) == Certified(None)


def test_the_bound_is_clopper_and_pearsons() -> None:
    assert upper_bound(0, 59, 0.05) == pytest.approx(0.0495, abs=1e-4)
    assert at_most(2, 10, 0.5) == pytest.approx(56 / 1024)
    assert at_most(7, 7, 0.2) == 1.0
