"""CascadeRun: the attempts of one request as blocks, each a span with its tier, confidence and outcome."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, TypeVar

from opentelemetry import context as otel_context

from outlay import _safely, semconv
from outlay.optimizations.walk import own
from outlay.tracing.call import Call, Tally, last_call
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope, leave
from outlay.tracing.frame import Frame
from outlay.tracing.lifecycle import get_client
from outlay.tracing.track import Tracker, track

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What one attempt came to.

    Attributes:
        outcome: accepted, escalated, forced (taken although nothing accepted it, as a limit was reached) or failed.
        cost_usd: What its calls cost at list prices, the judge's too; None where a price or a count is not known.
        error: What went wrong.
    """

    tier: int
    outcome: str
    confidence: float | None
    cost_usd: Decimal | None
    duration_s: float
    error: str | None


@dataclass(frozen=True, slots=True)
class CascadeResult(Generic[T]):
    """An answer and how it came about.

    Attributes:
        tier: The tier that gave the answer.
        confidence: What `accept` said of it; None for True, False and no word.
        is_forced: Nothing accepted it: a limit was reached, or the tiers above failed.
        cost_usd: Of all attempts; None where it is not known of one.
        attempts: In order.
    """

    answer: T
    tier: int
    confidence: float | None
    is_forced: bool
    cost_usd: Decimal | None
    run_id: str
    attempts: tuple[AttemptResult, ...]


class Judging:
    """Calls inside are a judge's: part of the attempt and of its cost, but not its answer."""

    def __enter__(self) -> None:
        outer = current_scope()
        scope = Scope({**outer.attributes, semconv.CASCADE_JUDGE: True}, outer.frame, outer.metering)
        self._outer = otel_context.get_current()
        self._inside = otel_context.set_value(SCOPE_KEY, scope, self._outer)
        self._token = otel_context.attach(self._inside)

    def __exit__(self, *_: object) -> None:
        leave(self._token, self._inside, self._outer)


class Attempt:
    """One attempt of a run, as a block. Say `accept()` or `escalate()`; an exception makes it `failed`."""

    def __init__(self, run: CascadeRun, tier: int, threshold: float | None, name: str) -> None:
        self._run = run
        self._tier = tier
        self._threshold = threshold
        self._outcome = "accepted"
        self._confidence: float | None = None
        self._is_forced = False
        self._error: str | None = None
        self._is_late = False
        self._started = self._duration_s = 0.0
        self._answered: Call | None = None
        facts = {"name": run.name, "run_id": run.run_id, "tier": tier, "threshold": threshold}
        tags: dict[str, Any] = {} if run.task is None else {"task": run.task}
        self._tracker: Tracker = track(name, cascade=facts, **tags)
        self._frame: Frame | None = None

    @property
    def call(self) -> Call | None:
        """The call that answered (until `answered()` the latest one), or the attempt itself: for `score(call=…)`."""
        if self._answered is not None or self._frame is None:
            return self._answered
        return self._frame.last_call or self._frame.call

    def answered(self) -> None:
        """The answer is there: calls that follow, such as a judge's, are not what a score is about."""
        self._answered = self.call

    def judging(self) -> Judging:
        """A block whose calls judge the answer: they are the attempt's and cost, but are not what it answered."""
        self.answered()
        return Judging()

    def accept(self, confidence: float | None = None) -> None:
        """This answer is used."""
        self._outcome, self._confidence = "accepted", confidence

    def escalate(self, confidence: float | None = None) -> None:
        """This answer does not convince; a stronger tier follows."""
        self._outcome, self._confidence = "escalated", confidence

    def force(self, confidence: float | None = None) -> None:
        """The run ends here with an answer that did not convince."""
        self._outcome, self._confidence, self._is_forced = "escalated", confidence, True

    def cost_usd(self) -> Decimal:
        """What the calls inside cost so far, as far as prices are known."""
        total = Decimal(0)
        if self._frame is not None:
            from outlay._cost import cost_of

            for attributes in self._frame.used or ():
                cost = cost_of(attributes, get_client().now_ns())
                if cost is None:
                    _safely.warn(
                        f"cascade cost {self._run.name}",
                        "max_cost_usd of cascade %s leaves out calls without a known price",
                        self._run.name,
                    )
                total += cost or 0
        return total

    def result(self) -> AttemptResult:
        """What it came to, once it has ended."""
        from outlay._cost import cost_of

        costs: list[Decimal | None] = []
        if isinstance(self._frame, Frame):
            try:
                costs = [cost_of(attributes, get_client().now_ns()) for attributes in self._frame.used or ()]
            except Exception:
                _safely.report("cascade cost")
                costs = [None]
            is_unbilled = self._outcome == "failed" and not self._is_late  # a provider that refuses does not charge
            if len(costs) < max(self._frame.call_count, 1) and not is_unbilled:
                costs.append(None)  # a call that nobody knows the usage of, or none that was seen
        known = [cost for cost in costs if cost is not None]
        cost_usd = sum(known, Decimal(0)) if isinstance(self._frame, Frame) and len(known) == len(costs) else None
        outcome = "forced" if self._is_forced and self._outcome == "escalated" else self._outcome
        return AttemptResult(self._tier, outcome, self._confidence, cost_usd, self._duration_s, self._error)

    def _pause(self) -> None:
        """Leave the block's context, for one that waits elsewhere."""
        if isinstance(self._frame, Frame):
            self._frame.detach()

    def _resume(self) -> None:
        if isinstance(self._frame, Frame):
            self._frame.attach()

    def _point_scores(self, call: Call | None) -> None:
        """Let a score that names no call be about this one."""
        if call is None or not isinstance(self._frame, Frame):
            return
        tally: Tally | None = self._frame
        while tally is not None:
            tally.last_call = call
            tally = tally.parent
        last_call.set(call)

    def __enter__(self) -> Attempt:
        self._started = time.monotonic()
        self._frame = self._tracker.__enter__()
        self._frame.used = []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._duration_s = time.monotonic() - self._started
        if error is not None:
            error = own(error)
            self._outcome, self._error = "failed", f"{type(error).__name__}: {error}"
            self._is_late = isinstance(error, TimeoutError)
        if self._frame is not None:
            facts = {"outcome": self._outcome, "confidence": self._confidence, "forced": self._is_forced or None}
            self._frame.set(cascade=facts)
        self._tracker.__exit__(kind, error, tb)

    async def __aenter__(self) -> Attempt:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)


class CascadeRun:
    """The instrumentation alone, for a cascade written by hand.

    Args:
        name: Name of the cascade.
        run_id: Attempts of one request share it; default is a new one.
        task: Kind of task, recorded as `outlay.task`.

    Example:
        run = outlay.CascadeRun("answer")
        with run.attempt() as attempt:
            answer = ask_small(question)
            with attempt.judging():
                sure = judge(answer)
            attempt.accept(sure) if sure > 0.8 else attempt.escalate(sure)
        if sure <= 0.8:
            with run.attempt():
                answer = ask_large(question)
    """

    def __init__(self, name: str, run_id: str | None = None, task: str | None = None) -> None:
        self.name = name
        self.task = task
        self.run_id = run_id or os.urandom(16).hex()
        self._next = 0

    def attempt(self, tier: int | None = None, threshold: float | None = None, name: str | None = None) -> Attempt:
        """The next attempt, one tier above the one before unless `tier` is given."""
        tier = self._next if tier is None else tier
        self._next = tier + 1
        return Attempt(self, tier, threshold, name or f"{self.name} tier {tier}")


def limit_of(what: str, given: Decimal | float | None) -> Decimal | None:
    """A limit of time or money.

    Raises:
        ValueError: If it is no number of at least 0.
    """
    if given is None:
        return None
    try:
        limit = Decimal(str(given))
    except ArithmeticError:
        limit = Decimal("nan")
    if limit.is_nan() or limit < 0:
        raise ValueError(f"{what} must be a number of at least 0, not {given!r}")
    return limit
