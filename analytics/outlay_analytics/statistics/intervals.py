"""95 % intervals for shares, means and their differences.

Shares get Wilson's score interval (JASA 22, 1927) and differences of shares Newcombe's hybrid of two of them
(Statistics in Medicine 17, 1998, method 10), which hold near 0 and 1 and for few observations; means get Student's t,
differences of means Welch's. Percentiles lie between two of the observations, whatever their distribution (order
statistics; H. A. David and H. N. Nagaraja, Order Statistics, 2003, 7.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from outlay.optimizations.intervals import student_t_975
from outlay_analytics.statistics.moments import Moments

# Quantiles of the normal distribution: of two-sided intervals of 95 % and of 80 %.
Z_975 = 1.959963984540054
Z_90 = 1.2815515655446004
TAIL = 0.025
MANY = 20_000  # observations, from which on a binomial is as good as normal


@dataclass(frozen=True)
class Interval:
    """An estimate with a 95 % interval; the bounds are None where there are too few observations for one."""

    value: float | None
    low: float | None = None
    high: float | None = None


def wilson(successes: float, n: float) -> Interval:
    """A share of `n` observations."""
    if not n:
        return Interval(None)
    share, zz = successes / n, Z_975 * Z_975
    middle = (share + zz / (2 * n)) / (1 + zz / n)
    half = Z_975 / (1 + zz / n) * math.sqrt(share * (1 - share) / n + zz / (4 * n * n))
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def interval(found: Moments) -> Interval:
    """Of a mean or a ratio. Equal units that are no shares say nothing about their spread: then there are no bounds."""
    if found.value is None:
        return Interval(None)
    if found.shares:
        return wilson(found.a, round(found.b))
    variance = found.variance
    if not variance > 0:
        return Interval(found.value)
    half = student_t_975(found.units - 1) * math.sqrt(variance / found.units)
    return Interval(found.value, found.value - half, found.value + half)


@lru_cache(maxsize=4096)
def quantile_ranks(n: int, share: float) -> tuple[int, int] | None:
    """Ranks (from 1, ascending) of the two of `n` observations that the quantile lies between; None for too few.

    As many observations as a binomial variable says are below the quantile: the lower rank is the largest that these
    miss in at most 2.5 % of cases, the upper the smallest that they reach so rarely.
    """
    if n > MANY:
        half = Z_975 * math.sqrt(n * share * (1 - share))
        return math.floor(n * share - half), math.ceil(n * share + half) + 1
    if n < 1:
        return None
    k = np.arange(n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    ways = np.exp(logs[n] - logs - logs[::-1] + k * math.log(1 - share) + (n - k) * math.log(share))
    above = np.cumsum(ways)  # at most k observations lie above the quantile
    low = n - int(np.searchsorted(above, 1 - TAIL))
    high = n + 1 - int(np.searchsorted(above, TAIL, side="right"))
    return (low, high) if low >= 1 and high <= n else None


def difference(first: Moments, second: Moments) -> Interval:
    """`second` minus `first`."""
    one, other = interval(first), interval(second)
    if one.value is None or other.value is None:
        return Interval(None)
    delta = other.value - one.value
    if first.shares and second.shares:
        below = math.hypot(other.value - (other.low or 0.0), (one.high or 0.0) - one.value)
        above = math.hypot((other.high or 0.0) - other.value, one.value - (one.low or 0.0))
        return Interval(delta, delta - below, delta + above)
    parts = [found.variance / found.units for found in (first, second)]
    if not sum(parts) > 0:
        return Interval(delta)
    squares = sum(part * part / (found.units - 1) for part, found in zip(parts, (first, second), strict=True))
    degrees = sum(parts) ** 2 / squares  # Welch (1947) and Satterthwaite (1946)
    half = student_t_975(degrees) * math.sqrt(sum(parts))
    return Interval(delta, delta - half, delta + half)


def chi_square_tail(x: float, degrees: int) -> float:
    """The probability that a chi-square variable exceeds `x` (Abramowitz and Stegun 26.4.4 and 26.4.5)."""
    if x <= 0 or degrees < 1:
        return 1.0
    half = x / 2
    term, total, known = (
        (math.sqrt(half) * math.exp(-half) / math.gamma(1.5), math.erfc(math.sqrt(half)), 1)
        if degrees % 2
        else (math.exp(-half) * half, math.exp(-half), 2)
    )
    while known < degrees:
        total += term
        known += 2
        term *= half / (known / 2)
    return min(total, 1.0)


def p_text(p: float) -> str:
    """A p-value in a sentence: two digits, and no more precision than its approximation has."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
