"""CascadeRun: the attempts of one request as blocks, each a span with its tier, confidence and outcome."""

from __future__ import annotations

import os
from decimal import Decimal
from types import TracebackType
from typing import Any

from outlay import _safely
from outlay.tracing.call import Call, Tally, last_call
from outlay.tracing.frame import Frame
from outlay.tracing.lifecycle import get_client
from outlay.tracing.track import Tracker, track


class Attempt:
    """One attempt of a run, as a block. Say `accept()` or `escalate()`; an exception makes it `failed`."""

    def __init__(self, run: CascadeRun, tier: int, threshold: float | None, name: str) -> None:
        self._run = run
        self._tier = tier
        self._threshold = threshold
        self._outcome = "accepted"
        self._confidence: float | None = None
        self._is_forced = False
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
        self._frame = self._tracker.__enter__()
        self._frame.used = []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._frame is not None:
            outcome = "failed" if error is not None else self._outcome
            facts = {"outcome": outcome, "confidence": self._confidence, "forced": self._is_forced or None}
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
