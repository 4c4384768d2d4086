"""One run of a cascade: its threshold and limits, the answers in hand, and which tiers rest after failures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from outlay import _safely
from outlay.optimizations.cascade_run import Attempt, CascadeResult, CascadeRun
from outlay.optimizations.given import scalar
from outlay.tracing.call import Call

TOP: Literal["top"] = "top"  # as a threshold: the last tier alone is asked

Threshold = float | Literal["top"]
Fallback = Literal["best", "last", "raise"]


_ROUNDED = 1e-6  # what adding up probabilities may be wrong by


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `accept` makes of an answer."""

    accepted: bool
    confidence: float | None


def verdict_of(name: str, judged: Any, threshold: float | None) -> Verdict:
    """What the judge's word comes to."""
    judged = scalar(judged)
    if isinstance(judged, bool) or judged is None:
        return Verdict(bool(judged), None)
    confidence = float(judged)
    if math.isnan(confidence):
        _safely.warn(f"accept of cascade {name}", "accept of cascade %s gave NaN, which is no confidence", name)
        return Verdict(False, None)
    if not -_ROUNDED <= confidence <= 1 + _ROUNDED:
        _safely.warn(
            f"accept of cascade {name}",
            "accept of cascade %s gave %r; a confidence is a number of 0–1, so the answer counts as not accepted",
            name,
            judged,
        )
        return Verdict(False, None)
    confidence = min(max(confidence, 0.0), 1.0)
    return Verdict(confidence >= (threshold or 0.0), confidence)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in hand that did not convince."""

    value: Any
    confidence: float | None
    call: Call | None
    tier: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cascade may take.

    Attributes:
        threshold: By task; `"*"` holds for any other.
        timeouts_s: By tier; None where it may take as long as it likes.
        rest_s: How long a tier is left out after `failures` in a row.
    """

    threshold: Mapping[str, Threshold]
    timeouts_s: Sequence[float | None]
    max_latency_s: Decimal | None
    max_cost_usd: Decimal | None
    fallback: Fallback
    rest_s: float
    failures: int


class Resting:
    """Which tiers failed so often in a row that they are left out for a while. Each operation is atomic by itself."""

    def __init__(self) -> None:
        self._failed: dict[int, tuple[int, float]] = {}  # tier → failures in a row, when the latest was

    def note(self, tier: int, failed: bool) -> None:
        """A tier was asked."""
        if failed:
            self._failed[tier] = self._failed.get(tier, (0, 0.0))[0] + 1, time.monotonic()
        else:
            self._failed.pop(tier, None)

    def rests(self, tier: int, limits: Limits) -> bool:
        """Whether the tier is left out now; after its rest it is tried again."""
        failures, latest = self._failed.get(tier, (0, 0.0))
        return failures >= limits.failures and time.monotonic() - latest < limits.rest_s


@dataclass(slots=True)
class Run:
    """One run."""

    name: str
    limits: Limits
    task: str | None
    run: CascadeRun = field(init=False)
    threshold: Threshold = field(init=False)
    cost_usd: Decimal = Decimal(0)
    started: float = field(default_factory=time.monotonic)
    in_hand: list[Answer] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    is_over: bool = False
    taken: Answer | None = None  # the answer of the run

    def __post_init__(self) -> None:
        self.run = CascadeRun(self.name, task=self.task)
        self.threshold = self.limits.threshold.get(self.task or "*", self.limits.threshold.get("*", 0.5))

    def attempt(self, number: int, tier: Callable[..., Any]) -> Attempt:
        """The attempt of a tier."""
        name = getattr(tier, "__name__", "") or f"{self.name} tier {number}"
        attempt = self.run.attempt(number, None if self.threshold == TOP else self.threshold, name)
        self.attempts.append(attempt)
        return attempt

    def settle(self, attempt: Attempt, verdict: Verdict, is_last: bool) -> bool:
        """Note the outcome; whether this answer is the run's."""
        is_spent = self._is_spent(attempt)
        if verdict.accepted or is_last:
            attempt.accept(verdict.confidence)
            return True
        if is_spent:
            attempt.force(verdict.confidence)
            return True
        attempt.escalate(verdict.confidence)
        return False

    def must_fall_back(self, attempt: Attempt, is_last: bool) -> bool:
        """Whether the run ends with this failure, and an answer in hand is its answer."""
        is_spent = self._is_spent(attempt)
        self.is_over = bool(self.in_hand) and (is_last or is_spent)
        return self.is_over and self.limits.fallback != "raise"

    def best(self) -> Answer:
        """The answer in hand that is to be taken."""
        if self.limits.fallback == "last":
            return self.in_hand[-1]
        return max(reversed(self.in_hand), key=lambda one: -math.inf if one.confidence is None else one.confidence)

    def _is_spent(self, attempt: Attempt) -> bool:
        limit_s, limit_usd = self.limits.max_latency_s, self.limits.max_cost_usd
        if limit_usd is not None:
            try:
                self.cost_usd += attempt.cost_usd()
            except Exception:
                _safely.report("cascade cost")
        if limit_s is not None and time.monotonic() - self.started >= limit_s:
            return True
        return limit_usd is not None and self.cost_usd >= limit_usd

    def result(self) -> CascadeResult[Any]:
        """What the run came to."""
        assert self.taken is not None
        attempts = tuple(attempt.result() for attempt in self.attempts)
        costs = [one.cost_usd for one in attempts]
        known = [cost for cost in costs if cost is not None]
        return CascadeResult(
            answer=self.taken.value,
            tier=self.taken.tier,
            confidence=self.taken.confidence,
            is_forced=any(attempt._is_forced for attempt in self.attempts),
            cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
            run_id=self.run.run_id,
            attempts=attempts,
        )
