"""Thresholds with a guarantee: from which one on at most a given share of answers is wrong, with a given confidence.

The answers with a confidence of at least t are a sample; that more than ε of them are wrong is refuted by the exact
binomial test. Thresholds are tried from a careful one down to the first that is not refuted (fixed-sequence testing),
from several starts that share the permitted risk, as in Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test:
Calibrating predictive algorithms to achieve risk control" (2021; Annals of Applied Statistics 19, 2025). Starts depend
on the confidences alone, never on the scores. The guarantee is about new runs like those that were scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from outlay_analytics.query.arrays import Floats

# Where sequences start, as shares of the scored answers, and each one's share of the risk: one that has many answers
# to go by, and careful ones for where only few answers can be trusted.
STARTS = ((0.35, 0.8), (0.12, 0.13), (0.0, 0.07))


@dataclass(frozen=True)
class Step:
    """What is known at a threshold: scored answers with at least its confidence, and how many of them are wrong."""

    threshold: float
    scored: int
    wrong: int


@dataclass(frozen=True)
class Certified:
    """The lowest threshold that holds; None where none does.

    Attributes:
        bound: Upper bound of the share that is wrong there, at the confidence asked for.
        missing: Where no threshold has enough scored answers even if all were right: how many more it takes.
    """

    threshold: float | None
    bound: float | None = None
    scored: int = 0
    missing: int = 0


def certify(steps: Sequence[Step], error: float, risk: float) -> Certified:
    """The lowest threshold whose answers are wrong in at most `error` of cases, untrue with a probability of `risk`.

    Args:
        steps: In any order; every threshold that may be chosen.
        error: Permitted share of wrong answers, in (0, 1).
        risk: Permitted probability that more are, in (0, 1).
    """
    careful = sorted((step for step in steps if step.scored), key=lambda step: -step.threshold)
    most = careful[-1].scored if careful else 0
    found: tuple[Step, float] | None = None
    for start, part in _starts(careful, error, risk):
        for step in careful[start:]:
            if at_most(step.wrong, step.scored, error) > part:
                break
            if found is None or step.threshold < found[0].threshold:
                found = step, part
    if found is None:
        return Certified(None, missing=max(0, least_scored(error, risk * STARTS[0][1]) - most))
    step, part = found
    return Certified(step.threshold, upper_bound(step.wrong, step.scored, part), step.scored)


def _starts(careful: Sequence[Step], error: float, risk: float) -> Iterator[tuple[int, float]]:
    """Places to start from, and the risk of each: where it has enough answers to show anything."""
    for share, weight in STARTS:
        goal = max(share * careful[-1].scored if careful else 0, least_scored(error, risk * weight))
        start = next((number for number, step in enumerate(careful) if step.scored >= goal), None)
        if start is not None:
            yield start, risk * weight


def least_scored(error: float, risk: float) -> int:
    """From how many answers on it can be shown at all, all being right."""
    return math.ceil(math.log(risk) / math.log1p(-error))


def at_most(wrong: int, scored: int, error: float) -> float:
    """Probability of so few wrong answers, or fewer, if each were wrong with probability `error` (binomial)."""
    if wrong >= scored or error <= 0:
        return 1.0
    if error >= 1:
        return 0.0
    k = np.arange(wrong + 1)
    facts = _log_factorials(1 << scored.bit_length())
    logs = facts[scored] - facts[k] - facts[scored - k] + k * math.log(error) + (scored - k) * math.log1p(-error)
    return min(1.0, float(np.exp(logs).sum()))


@lru_cache(maxsize=8)
def _log_factorials(most: int) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])


def upper_bound(wrong: int, scored: int, risk: float) -> float:
    """Clopper and Pearson's upper bound of a share (Biometrika 26, 1934)."""
    low, high = wrong / scored, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(wrong, scored, middle) > risk else (low, middle)
    return high
