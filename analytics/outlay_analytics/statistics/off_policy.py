"""What sending every request to one tier would have brought, from requests whose tier was chosen by chance.

Each decision says with which probability p its tier was to be chosen. With w = 1 ÷ p where that was tier k and 0
elsewhere, and strata s of decisions that are alike before the choice (the feature, the rule that matched)::

    IPS(k)   = Σ w·y ÷ n                             Horvitz and Thompson, JASA 47 (1952)
    SNIPS(k) = Σ w·y ÷ Σ w                           Swaminathan and Joachims, NeurIPS 28 (2015)
    q(s, k)  = Σ_s w·y ÷ Σ_s w
    DR(k)    = Σ q(s, k) ÷ n + Σ w·(y − q(s, k)) ÷ n = Σ_s n(s)·q(s, k) ÷ n

The last is the doubly robust estimate (Dudík, Langford and Li, ICML 2011; Robins, Rotnitzky and Zhao, JASA 89, 1994)
whose model is the weighted mean of a stratum: right where either the probabilities or the strata are. Its variance is
that of its influence function, summed over clusters (all decisions of a trace in a stratum)::

    Φ(k) = Σ [ q(s, k) − DR(k) ] + n(s) ÷ Σ_s w · Σ w·(y − q(s, k))

The effective sample is Kish's (Survey Sampling, 1965), (Σ v)² ÷ Σ v² with v = w·n(s) ÷ Σ_s w. Below
`LEAST_EFFECTIVE` there is no interval. Shares get Wilson's interval for as many observations as have that variance,
their difference to what is done now the two intervals' recovered variances with their correlation (Zou and Donner,
Statistics in Medicine 27, 2008). Means get Student's t, mended for skewness by Hall's cubic transformation (JRSS B 54,
1992): costs have a long upper tail, and an interval that ignores it misses nearly always on the same side. With T the
studentized figure and k = Σ φ³ ÷ (Σ φ²)^1.5 of its influences φ, g(T) = T + k·T²÷3 + k²·T³÷27 + k÷6 has no skewness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from outlay.optimizations.intervals import student_t_975
from outlay_analytics.statistics.intervals import Interval, wilson

LEAST_EFFECTIVE = 100
LEAST_CHOSEN = 10
"""Decisions for a tier, below which nothing is said of a stratum."""
CHECKED_FROM = 30
"""Decisions for a tier, from which on a stratum tells whether probabilities can be right."""
FAR = 5.0
"""Standard errors by which the mean of the weights may miss 1."""
MOST_SKEWED = 1.0
"""Of the sum that a mean is; beyond it the transformation says little."""
NOTHING = Interval(None)


@dataclass(frozen=True)
class Sums:
    """Over the clusters of a stratum, for one tier, or for all that was done (then a = y, b = n).

    Attributes:
        chosen: Decisions for the tier.
        clusters: Clusters with one.
        a, b: Σ w·y, Σ w.
        aa, bb, ab: Σ a², Σ b², Σ a·b over clusters.
        na, nb, ya, yb: Σ n·a … with a cluster's number of decisions n and its sum of y, whatever was chosen.
        shares: Whether every y is 0 or 1.
        aaa, aab, abb, bbb: Σ a³, Σ a²·b …, for the skewness.
    """

    chosen: int
    clusters: int
    a: float
    b: float
    aa: float
    bb: float
    ab: float
    na: float
    nb: float
    ya: float
    yb: float
    shares: bool
    aaa: float = 0.0
    aab: float = 0.0
    abb: float = 0.0
    bbb: float = 0.0

    def cubes(self, q: float) -> float:
        """Σ (a − q·b)³."""
        return self.aaa - 3 * q * self.aab + 3 * q * q * self.abb - q**3 * self.bbb

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Sums:
        """From the columns of a statement's row."""
        kinds = {"chosen": int, "clusters": int, "shares": bool}
        return cls(**{one.name: kinds.get(one.name, float)(row[one.name]) for one in fields(cls)})


@dataclass(frozen=True)
class Stratum:
    """Decisions that are alike: what was done in all of them, and what is known of each tier."""

    every: Sums
    tiers: Mapping[str, Sums]


@dataclass(frozen=True)
class Value:
    """What one tier for all would have brought.

    Attributes:
        mean, now, difference: Of that, of what was done in the same decisions, of the first to the second.
        ips, snips: The same mean by simpler estimators, beside it.
        decisions: Decisions that it holds for: those of strata in which the tier was chosen often enough.
        open: Those of them in strata in which other tiers were chosen, too.
        effective: Effective sample.
        mean_weight: Of strata with `CHECKED_FROM` decisions for the tier; 1 where the probabilities are right and what
            is left out is left out by chance.
        is_off: Whether it is not 1, by `FAR` standard errors.
    """

    mean: Interval = NOTHING
    now: float | None = None
    difference: Interval = NOTHING
    ips: float | None = None
    snips: float | None = None
    decisions: int = 0
    open: int = 0
    effective: float = 0.0
    mean_weight: float = 1.0
    is_off: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether there are intervals to judge by."""
        return self.effective >= LEAST_EFFECTIVE and not self.is_off


def value_of(strata: Iterable[Stratum], tier: str) -> Value:
    """What sending every decision to a tier would have brought, and how that differs from what was done."""
    known = [(one.every, one.tiers[tier]) for one in strata if tier in one.tiers]
    known = [(every, mine) for every, mine in known if mine.chosen >= LEAST_CHOSEN]
    if not known:
        return Value()
    n = math.fsum(every.b for every, _ in known)
    now = math.fsum(every.a for every, _ in known) / n
    mean = math.fsum(every.b * mine.a / mine.b for every, mine in known) / n
    own = both = cubes = 0.0
    for every, mine in known:
        q, grown = mine.a / mine.b, every.b / mine.b
        sample = mine.b * mine.b / mine.bb
        spread = mine.aa - 2 * q * mine.ab + q * q * mine.bb
        if sample > 1 and mine.chosen < every.chosen:  # q was fitted to the same decisions
            spread *= sample / (sample - 1)
        cubes += grown**3 * mine.cubes(q)
        crossed = mine.na - q * mine.nb
        own += (q - mean) ** 2 * every.bb + grown * grown * max(spread, 0.0) + 2 * (q - mean) * grown * crossed
        both += (q - mean) * (every.ab - now * every.bb)
        both += grown * (mine.ya - q * mine.yb - now * crossed)
    done = math.fsum(every.aa - 2 * now * every.ab + now * now * every.bb for every, _ in known)
    variance, varied, shared = (max(own, 0.0) / n**2, max(done, 0.0) / n**2, both / n**2)
    effective = n * n / math.fsum((every.b / mine.b) ** 2 * mine.bb for every, mine in known)
    shares = all(every.shares for every, _ in known)
    weight, is_off = _weight(known)
    found = Value(
        now=now,
        mean=Interval(mean),
        difference=Interval(mean - now),
        ips=math.fsum(mine.a for _, mine in known) / n,
        snips=math.fsum(mine.a for _, mine in known) / math.fsum(mine.b for _, mine in known),
        decisions=round(n),
        effective=effective,
        open=sum(every.chosen for every, mine in known if mine.chosen < every.chosen),
        mean_weight=weight,
        is_off=is_off,
    )
    if not found.is_enough:
        return found
    spreads = _Spreads(variance, varied, shared)
    bounds = _bounds(mean, variance, effective, shares, cubes / n**3)
    delta = mean - now
    if not found.open:  # the same was done
        difference = Interval(delta, delta, delta)
    else:
        done_cubes = math.fsum(every.cubes(now) for every, _ in known)
        done_bounds = _bounds(now, varied, effective, shares, done_cubes / n**3)
        difference = _of_both(bounds, done_bounds, spreads)
    return replace(found, mean=bounds, difference=difference)


@dataclass(frozen=True)
class _Spreads:
    """Variances of what a tier would bring and of what was done, and their covariance."""

    own: float
    done: float
    shared: float

    @property
    def of_difference(self) -> float:
        return self.own + self.done - 2 * self.shared

    @property
    def correlation(self) -> float:
        both = math.sqrt(self.own * self.done)
        return max(-1.0, min(1.0, self.shared / both)) if both > 0 else 0.0


def _bounds(mean: float, variance: float, effective: float, shares: bool, cubes: float = 0.0) -> Interval:
    if not shares:
        return _of_means(mean, variance, effective, cubes)
    alike = mean * (1 - mean) / variance if variance > 0 and 0 < mean < 1 else effective
    found = wilson(mean * alike, alike)
    return Interval(mean, found.low, found.high)


def _of_means(mean: float, variance: float, effective: float, cubes: float) -> Interval:
    """From the variance of a mean and the sum of its influences' cubes."""
    if not variance > 0:
        return Interval(mean)
    error, t = math.sqrt(variance), student_t_975(effective - 1)
    skewness = max(-MOST_SKEWED, min(MOST_SKEWED, cubes / variance**1.5))
    return Interval(mean, mean - _unskewed(t, skewness) * error, mean - _unskewed(-t, skewness) * error)


def _unskewed(t: float, k: float) -> float:
    """The studentized figure that Hall's transformation makes t of: its inverse."""
    return 3 / k * (math.cbrt(1 + k * (t - k / 6)) - 1) if abs(k) > 1e-9 else t


def _of_both(own: Interval, done: Interval, spreads: _Spreads) -> Interval:
    """The first minus the second, from the distances of both to their bounds."""
    (value, low, high), (now, least, most) = (
        (one.value or 0.0, one.low or 0.0, one.high or 0.0) for one in (own, done)
    )
    delta = value - now
    parts = [(value - low, most - now), (high - value, now - least)]
    below, above = (math.sqrt(max(0.0, a * a + b * b - 2 * spreads.correlation * a * b)) for a, b in parts)
    return Interval(delta, delta - below, delta + above)


def _weight(known: Sequence[tuple[Sums, Sums]]) -> tuple[float, bool]:
    """The mean of the weights, and whether it is not 1."""
    checked = [(every, mine) for every, mine in known if mine.chosen >= CHECKED_FROM]
    if not checked:
        return 1.0, False
    n = math.fsum(every.b for every, _ in checked)
    mean = math.fsum(mine.b for _, mine in checked) / n
    spread = math.fsum(mine.bb - 2 * mean * mine.nb + mean * mean * every.bb for every, mine in checked)
    return mean, abs(mean - 1) > FAR * math.sqrt(max(spread, 0.0)) / n + 1e-9
