"""Intervals that hold at every look: who reads an experiment each day and stops when it says so is not misled.

Confidence sequences with the normal mixture boundary of Robbins (Ann. Math. Statist. 41, 1970), with estimated
variances as in Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences" (Ann. Statist. 52, 2024): with probability 95 % the true difference lies in the interval at every
number of units from `LEAST_UNITS` an arm on. They are wider than those for one look, tightest near `TUNED_UNITS`.
"""

from __future__ import annotations

import math

from outlay_analytics.statistics.intervals import Interval
from outlay_analytics.statistics.moments import Moments

ALPHA = 0.05
LEAST_UNITS = 50  # an arm: below, the sums are not normal enough
LEAST_OF_A_KIND = 5  # shares: as many units on either side, in both arms together
TUNED_UNITS = 400  # in both arms
MOST_UNITS = 10**8
METHOD = "asymptotic confidence sequences (normal mixture): 95 % for all arms of a measure together, at every look"


def always_valid(first: Moments, second: Moments, alpha: float = ALPHA) -> Interval:
    """`second` minus `first`, with bounds once both have enough units; wrong at some look with probability `alpha`."""
    if first.value is None or second.value is None:
        return Interval(None)
    delta = second.value - first.value
    if why_too_few(first, second):
        return Interval(delta)
    half = _half_width(first, second, 1.0, alpha)
    return Interval(delta, delta - half, delta + half)


def why_too_few(first: Moments, second: Moments) -> str:
    """Why there is no interval yet, empty where there is one."""
    least = min(first.units, second.units)
    if least < LEAST_UNITS:
        return f"an arm has {least} units of at least {LEAST_UNITS}"
    if first.shares and second.shares:
        ones = first.a + second.a
        if min(ones, first.b + second.b - ones) < LEAST_OF_A_KIND:
            return f"fewer than {LEAST_OF_A_KIND} units differ from the others"
    if not first.variance + second.variance > 0:
        return "all units are equal"
    return ""


def units_needed(first: Moments, second: Moments, distance: float, alpha: float = ALPHA) -> int | None:
    """How many more units, in both arms together, until the interval is narrower than `distance`; None if too many."""
    if why_too_few(first, second) or not distance > 0:
        return None
    have = first.units + second.units
    low, high = 1.0, 1.0
    while _half_width(first, second, high, alpha) >= distance:
        low, high = high, high * 2
        if have * high > MOST_UNITS:
            return None
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _half_width(first, second, middle, alpha) >= distance else (low, middle)
    return max(0, math.ceil(have * high) - have)


def _half_width(first: Moments, second: Moments, times: float, alpha: float) -> float:
    """Of the interval after `times` as many units of the same kind."""
    variance = (first.variance / first.units + second.variance / second.units) / times
    units = 2 * (first.variance + second.variance) / variance  # in both arms, were they of the same size
    ratio = units / TUNED_UNITS
    return math.sqrt(variance * (1 + 1 / ratio) * math.log((1 + ratio) / alpha**2))
