"""Intervals that hold at every look: who reads an experiment each day and stops when it says so is not misled.

Confidence sequences with the normal mixture boundary of Robbins (Ann. Math. Statist. 41, 1970), with estimated
variances as in Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences" (Ann. Statist. 52, 2024): with probability 95 % the true difference lies in the interval at every
number of units from `LEAST_UNITS` an arm on. They are wider than those for one look, tightest near `TUNED_UNITS`.

Whether units fell to the arms as asked is tested in the same spirit: Lindon and Malek, "Anytime-valid inference for
multinomial count data" (NeurIPS 35, 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from outlay_analytics.statistics.intervals import Interval
from outlay_analytics.statistics.moments import Moments

ALPHA = 0.05
LEAST_UNITS = 50  # an arm: below, the sums are not normal enough
LEAST_OF_A_KIND = 5  # shares: as many units on either side, in both arms together
TUNED_UNITS = 400  # in both arms
MOST_UNITS = 10**8
CONCENTRATIONS = (10.0, 100.0, 1e3, 1e4)  # of the priors around the split asked for: large departures and small ones
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


def every_look_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """A p-value of units being split by these shares that may be read after every unit.

    Under the split asked for, the Bayes factor of a Dirichlet prior against it is a martingale that begins at 1, and so
    is a mean of several; it ever reaches 1 ÷ p with a probability of at most p (Ville)::

        factor(c) = Γ(c) ÷ Γ(c + n) · Π Γ(c·share + count) ÷ Γ(c·share) ÷ share^count

    Args:
        counts: Units by arm.
        shares: What was asked for, each above 0, together 1.
    """
    total = sum(counts)
    logs = [
        math.lgamma(c)
        - math.lgamma(c + total)
        + math.fsum(
            math.lgamma(c * share + count) - math.lgamma(c * share) - count * math.log(share)
            for count, share in zip(counts, shares, strict=True)
        )
        for c in CONCENTRATIONS
    ]
    top = max(logs)
    evidence = top + math.log(math.fsum(math.exp(one - top) for one in logs) / len(logs))
    return math.exp(-max(evidence, 0.0))
