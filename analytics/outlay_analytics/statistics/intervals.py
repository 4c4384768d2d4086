"""95 % intervals for shares, means and their differences.

Shares get Wilson's score interval (JASA 22, 1927) and differences of shares Newcombe's hybrid of two of them
(Statistics in Medicine 17, 1998, method 10), which hold near 0 and 1 and for few observations; means get Student's t,
differences of means Welch's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from outlay.optimizations.intervals import student_t_975
from outlay_analytics.statistics.moments import Moments

Z_975 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """An estimate with a 95 % interval; the bounds are None where there are too few observations for one."""

    value: float | None
    low: float | None = None
    high: float | None = None


def wilson(successes: float, n: int) -> Interval:
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
