"""Intervals for means that hold at every number of values, down to two.

Shares get Clopper and Pearson's exact interval (Biometrika 26, 1934). Means of values with known bounds get the
interval by betting of Waudby-Smith and Ramdas (JRSS B 86, 2024) with a fixed mixture of bets: who bets against a mean
that is true multiplies the capital by 40 at most one time in 40 (Markov), so a mean against which the values do so is
out. Neither assumes a distribution: a failure that is rare and dear is not overlooked because few values showed none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

TAIL = 0.025  # of a two-sided 95 % interval
_Z_975 = 1.959963984540054
_T_975 = {1: 12.7062, 2: 4.3027}  # where the expansion of Student's t is not exact enough
_STEPS = 40  # bisections: 1e-12 of the range
_BETS = ((1.0, 0.5), *((share, 0.5 / 7) for share in (0.75, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015)))  # stake, weight


def share_interval(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, 0–1."""
    return share_low(successes, n), 1 - share_low(n - successes, n)


def share_low(successes: int, n: int, tail: float = TAIL) -> float:
    """The share at which so many successes, or more, are as rare as the tail: a bound from below."""
    if successes == 0:
        return 0.0
    low, high = 0.0, successes / n
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(successes, n, middle) < tail else (low, middle)
    return low


def _at_least(successes: int, n: int, share: float) -> float:
    """Probability of so many successes, or more."""
    if not 0 < share < 1:
        return float(share >= 1)
    ways = math.lgamma(n + 1)
    yes, no = math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(ways - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * yes + (n - k) * no)
        for k in range(successes, n + 1)
    )


def mean_interval(values: Sequence[float], least: float, most: float) -> tuple[float, float]:
    """95 % interval of the mean of values that cannot lie outside `least` and `most`."""
    width = most - least
    places = Counter(min(max((value - least) / width, 0.0), 1.0) for value in values)
    mirrored = Counter({1 - place: count for place, count in places.items()})
    return least + width * _mean_low(places), most - width * _mean_low(mirrored)


def _mean_low(places: Counter[float]) -> float:
    """The largest mean, of values within 0 and 1, that the bets refute."""
    low, high = 0.0, sum(place * count for place, count in places.items()) / places.total()
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _refutes(places, middle) else (low, middle)
    return low


def _refutes(places: Counter[float], mean: float) -> bool:
    """Whether betting that the mean is higher than this multiplies the capital enough."""
    if mean <= 0:
        return False
    goal = -math.log(TAIL)
    logs = []
    for stake, weight in _BETS:
        capital = math.log(weight)
        for place, count in places.items():
            factor = 1 - stake + stake * place / mean
            if factor <= 0:
                break
            capital += count * math.log(factor)
        else:
            logs.append(capital)
    if not logs:
        return False
    top = max(logs)
    return top + math.log(math.fsum(math.exp(one - top) for one in logs)) >= goal


def student_t_975(degrees: float) -> float:
    """The 97.5 % quantile of Student's t, by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5).

    Right to 0.02 from three degrees of freedom on; below, the whole numbers' own values.
    """
    if degrees < 3:
        return _T_975[max(1, math.floor(degrees))]
    z = _Z_975
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / degrees**power for power, term in enumerate(terms))
