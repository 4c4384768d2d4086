"""Off-policy intervals cover the truth as often as they say, and nothing is said where little was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from outlay_analytics.statistics.off_policy import LEAST_EFFECTIVE, Stratum, Sums, Value, value_of

REPEATS = 2000
TIERS = ("cheap", "mid", "frontier")
EXPLORE = 0.1
# Two kinds of request: the tier that the router's rule chooses, their part, the true share of good answers by tier.
KINDS = (("mid", 0.7, (0.90, 0.95, 0.97)), ("cheap", 0.3, (0.70, 0.80, 0.95)))
Numbers = NDArray[np.float64]


def probabilities(usual: str) -> Numbers:
    return np.array([EXPLORE / 3 + (1 - EXPLORE) * (tier == usual) for tier in TIERS])


def single(chosen: int, y: float, yy: float, p: float, shares: bool) -> Sums:
    """Of decisions that are clusters of their own, by their number, Σy and Σy²."""
    return Sums(
        chosen, chosen, y / p, chosen / p, yy / p**2, chosen / p**2, y / p**2, y / p, chosen / p, yy / p, y / p, shares
    )


def clustered(chosen: int, a: Numbers, b: Numbers, n: Numbers, y: Numbers) -> Sums:
    """Of clusters: Σ w·y, Σ w, decisions and Σ y of each."""
    pairs = ((a, a), (b, b), (a, b), (n, a), (n, b), (y, a), (y, b))
    aa, bb, ab, na, nb, ya, yb = (float(one @ other) for one, other in pairs)
    clusters = int((b > 0).sum())
    cubes = (float(one.sum()) for one in (a**3, a * a * b, a * b * b, b**3))
    return Sums(chosen, clusters, float(a.sum()), float(b.sum()), aa, bb, ab, na, nb, ya, yb, False, *cubes)


def scored(rng: np.random.Generator, n: int, values: Sequence[Sequence[float]]) -> Iterator[list[Stratum]]:
    """Logs of n scored decisions."""
    counts = rng.multinomial(n, [part for _, part, _ in KINDS], REPEATS)
    drawn = []
    for kind, (usual, _, _) in enumerate(KINDS):
        p = probabilities(usual)
        chosen = rng.multinomial(counts[:, kind], p)
        good = rng.binomial(chosen, np.array(values[kind]))
        drawn.append((p, chosen, good))
    for number in range(REPEATS):
        strata = []
        for p, chosen, good in drawn:
            of, right = chosen[number].tolist(), good[number].tolist()
            tiers = {tier: single(of[k], right[k], right[k], p[k], True) for k, tier in enumerate(TIERS) if of[k]}
            strata.append(Stratum(single(sum(of), sum(right), sum(right), 1.0, True), tiers))
        yield strata


def covered(found: Sequence[Value], mean: float, difference: float) -> tuple[float, float]:
    """How often the truth is in the interval of the mean, and of the difference."""
    hits = [
        [one.low is not None and one.high is not None and one.low <= truth <= one.high for one in intervals]
        for intervals, truth in (([v.mean for v in found], mean), ([v.difference for v in found], difference))
    ]
    return sum(hits[0]) / len(found), sum(hits[1]) / len(found)


def truths(tier: int) -> tuple[float, float]:
    mean = sum(part * values[tier] for _, part, values in KINDS)
    now = sum(part * float(probabilities(usual) @ np.array(values)) for usual, part, values in KINDS)
    return mean, mean - now


def test_intervals_of_shares_cover_in_about_95_of_100_logs() -> None:
    logs = list(scored(np.random.default_rng(5), 6000, [values for _, _, values in KINDS]))
    for k, tier in enumerate(TIERS):
        found = [value_of(log, tier) for log in logs]
        assert all(one.is_enough for one in found)
        mean, difference = covered(found, *truths(k))
        assert 0.93 <= mean <= 0.97
        assert 0.93 <= difference <= 0.97
        assert np.mean([one.mean.value for one in found]) == pytest.approx(truths(k)[0], abs=0.002)
        assert np.mean([one.ips for one in found]) == pytest.approx(truths(k)[0], abs=0.005)


def test_intervals_of_costs_cover_where_the_requests_of_a_trace_are_alike() -> None:
    rng, traces, each = np.random.default_rng(7), 1500, 3
    p = probabilities("mid")
    usual = np.array([0.1, 1.0, 4.0])
    found = []
    for _ in range(REPEATS // 4):
        size = (traces, each)
        tier = np.searchsorted(np.cumsum(p), rng.random(size))
        # Skewed, as costs are, and with a part that all requests of a trace share.
        y = usual[tier] * np.exp(rng.normal(0, 0.5, (traces, 1)) + rng.normal(0, 0.3, size) - 0.17)
        total = y.sum(axis=1)
        tiers = {}
        for k, name in enumerate(TIERS):
            mine = tier == k
            w = mine / p[k]
            a, b = (w * y).sum(axis=1), w.sum(axis=1)
            tiers[name] = clustered(int(mine.sum()), a, b, np.full(traces, each), total)
        every = clustered(traces * each, total, np.full(traces, each), np.full(traces, each), total)
        found.append([value_of([Stratum(every, tiers)], name) for name in TIERS])
    now = float(p @ usual)
    for k in range(3):
        of = [one[k] for one in found]
        mean, difference = covered(of, float(usual[k]), float(usual[k]) - now)
        assert 0.92 <= mean <= 0.98  # of 500 logs: 95 % and three standard errors
        assert 0.92 <= difference <= 0.98
    # Costs have a long upper tail; what is missed lies on both sides nevertheless, and all tiers together miss little.
    means = [(one[k].mean, float(usual[k])) for one in found for k in range(3)]
    above = sum(truth > (mean.high or 0.0) for mean, truth in means) / len(means)
    below = sum(truth < (mean.low or 0.0) for mean, truth in means) / len(means)
    assert above + below <= 0.07
    assert above - below <= 0.015


def test_a_low_effective_sample_has_no_interval_however_good_it_looks() -> None:
    same = [(0.5, 1.0, 1.0)] * 2  # the dear tier is always right where it is tried
    for log in scored(np.random.default_rng(9), 800, same):
        found = value_of(log, "frontier")
        assert found.effective < LEAST_EFFECTIVE
        assert not found.is_enough
        assert (found.difference.low, found.mean.low) == (None, None)


def test_a_stratum_in_which_a_tier_was_hardly_tried_is_left_out() -> None:
    tried = Stratum(single(1000, 900, 900, 1.0, True), {"cheap": single(200, 150, 150, 0.2, True)})
    never = Stratum(single(5000, 5000, 5000, 1.0, True), {"mid": single(5000, 5000, 5000, 1.0, True)})
    hardly = Stratum(single(90, 90, 90, 1.0, True), {"cheap": single(9, 0, 0, 0.1, True)})
    found = value_of([tried, never, hardly], "cheap")
    assert (found.decisions, found.open, found.mean.value, found.now) == (1000, 1000, 0.75, 0.9)
    assert value_of([never], "mid").open == 0
    assert value_of([never], "cheap") == Value()


def test_probabilities_that_cannot_be_are_not_believed() -> None:
    # It says one in five, and was taken in two of five.
    wrong = Stratum(single(1000, 900, 900, 1.0, True), {"cheap": single(400, 300, 300, 0.2, True)})
    found = value_of([wrong], "cheap")
    assert (found.mean_weight, found.is_off, found.is_enough) == (2.0, True, False)


def test_what_was_done_for_certain_differs_from_itself_by_nothing() -> None:
    sure = single(500, 450, 450, 1.0, True)
    found = value_of([Stratum(sure, {"mid": sure})], "mid")
    assert (found.mean.value, found.difference.value) == (0.9, 0.0)
    assert (found.difference.low, found.difference.high) == (0.0, 0.0)
