"""Cascades: the cheap model first, a stronger one when the answer does not convince.

Every attempt is a span with its tier, confidence and outcome; the attempts of one run share a run id, and the calls
inside belong to their attempt. The cost of a run counts the cheap attempt of escalated requests, too.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from outlay import _safely
from outlay.call import Call
from outlay.client import get_client
from outlay.frame import Frame
from outlay.track import Tracker, track

T = TypeVar("T")

Accept = Callable[[Any], bool | float]


class Attempt:
    """One attempt of a run, as a block. Say `accept()` or `escalate()`; an exception makes it `failed`."""

    def __init__(self, run: CascadeRun, tier: int, threshold: float | None, name: str) -> None:
        self._run = run
        self._tier = tier
        self._threshold = threshold
        self._outcome = "accepted"
        self._confidence: float | None = None
        facts = {"name": run.name, "run_id": run.run_id, "tier": tier, "threshold": threshold}
        self._tracker: Tracker = track(name, cascade=facts)
        self._frame: Frame | None = None

    @property
    def call(self) -> Call | None:
        """The latest call inside, or the attempt itself: for `score(call=…)`."""
        return None if self._frame is None else self._frame.last_call or self._frame.call

    def accept(self, confidence: float | None = None) -> None:
        """This answer is used."""
        self._outcome, self._confidence = "accepted", confidence

    def escalate(self, confidence: float | None = None) -> None:
        """This answer does not convince; a stronger tier follows."""
        self._outcome, self._confidence = "escalated", confidence

    def cost_usd(self) -> Decimal:
        """What the calls inside cost so far, as far as prices are known."""
        total = Decimal(0)
        if self._frame is not None:
            from outlay._cost import cost_of

            for attributes in self._frame.used or ():
                total += cost_of(attributes, get_client().now_ns()) or 0
        return total

    def __enter__(self) -> Attempt:
        self._frame = self._tracker.__enter__()
        self._frame.used = []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._frame is not None:
            outcome = "failed" if error is not None else self._outcome
            self._frame.set(cascade={"outcome": outcome, "confidence": self._confidence})
        self._tracker.__exit__(kind, error, tb)

    async def __aenter__(self) -> Attempt:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)


class CascadeRun:
    """The instrumentation alone, for a cascade written by hand.

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

    def __init__(self, name: str, run_id: str | None = None) -> None:
        self.name = name
        self.run_id = run_id or os.urandom(16).hex()
        self._next = 0

    def attempt(self, tier: int | None = None, threshold: float | None = None, name: str | None = None) -> Attempt:
        """The next attempt, one tier above the one before unless `tier` is given."""
        tier = self._next if tier is None else tier
        self._next = tier + 1
        return Attempt(self, tier, threshold, name or f"{self.name} tier {tier}")


@dataclass(frozen=True, slots=True)
class _Verdict:
    accepted: bool
    confidence: float | None


class Cascade(Generic[T]):
    """Tries its tiers in order until an answer is accepted.

    Args:
        name: Name of the cascade.
        tiers: Callables with the same parameters, cheapest first; all sync, or all async: then calling the cascade
            gives an awaitable.
        accept: Judges an answer: True or False, or a confidence to compare with the threshold. May be async where the
            tiers are. An answer that it fails on does not convince.
        threshold: Confidence needed; one number, or one per task with a `"default"`.
        max_latency_s: After that much time the answer at hand is taken.
        max_cost_usd: After that much money (list prices) the answer at hand is taken.

    The answer of the last tier is taken as it is. A tier that raises hands over to the next; the last one's exception
    is the caller's.

    Raises:
        TypeError, ValueError: If tiers, `accept` or `threshold` cannot work together.

    Example:
        answer = outlay.Cascade("answer", [ask_small, ask_large], accept=lambda a: a.confidence, threshold=0.8)
        print(answer("What is the capital of Bern?"))
    """

    def __init__(
        self,
        name: str,
        tiers: Sequence[Callable[..., Any]],
        accept: Accept | Callable[[Any], Awaitable[bool | float]],
        *,
        threshold: float | Mapping[str, float] = 0.5,
        max_latency_s: float | None = None,
        max_cost_usd: Decimal | float | None = None,
    ) -> None:
        if not tiers:
            raise ValueError(f"cascade {name!r} needs at least one tier")
        for part in (*tiers, accept):
            if not callable(part):
                raise TypeError(f"cascade {name!r}: tiers and accept are functions, unlike {part!r}")
        kinds = {_is_async(tier) for tier in tiers}
        if len(kinds) > 1:
            raise ValueError(f"cascade {name!r}: tiers must be all sync or all async")
        if _is_async(accept) and not kinds.pop():
            raise ValueError(f"cascade {name!r}: accept is async, but the tiers are not")
        for number in threshold.values() if isinstance(threshold, Mapping) else [threshold]:
            if not isinstance(number, (int, float)):
                raise TypeError(f"cascade {name!r}: a threshold is a number, not {number!r}")
        self.name = name
        self._is_async = _is_async(tiers[0])
        self._tiers = list(tiers)
        self._accept = accept
        self._threshold = threshold
        self._max_latency_s = max_latency_s
        self._max_cost_usd = None if max_cost_usd is None else Decimal(str(max_cost_usd))

    def __call__(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer, to be awaited where the tiers are async; `task` picks the threshold."""
        if self._is_async:
            return cast(T, self.arun(*args, task=task, **kwargs))
        return self.run(*args, task=task, **kwargs)

    def run(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer of synchronous tiers."""
        if self._is_async:
            raise TypeError(f"the tiers of cascade {self.name!r} are async: await it, or its arun()")
        steps = self._steps(task)
        attempt, tier = next(steps)
        while True:
            try:
                with attempt:
                    answer = tier(*args, **kwargs)
                    try:
                        verdict = self._judge(self._accept(answer), attempt)
                    except Exception:
                        verdict = self._no_verdict()
                    last = steps.settle(attempt, verdict)
            except Exception as error:
                attempt, tier = steps.after(error)
                continue
            if last:
                return cast(T, answer)
            attempt, tier = next(steps)

    async def arun(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer of asynchronous tiers; takes sync ones, too."""
        steps = self._steps(task)
        attempt, tier = next(steps)
        while True:
            try:
                with attempt:
                    answer = tier(*args, **kwargs)
                    if inspect.isawaitable(answer):
                        answer = await answer
                    try:
                        judged = self._accept(answer)
                        if inspect.isawaitable(judged):
                            judged = await judged
                        verdict = self._judge(judged, attempt)
                    except Exception:
                        verdict = self._no_verdict()
                    last = steps.settle(attempt, verdict)
            except Exception as error:
                attempt, tier = steps.after(error)
                continue
            if last:
                return cast(T, answer)
            attempt, tier = next(steps)

    def _judge(self, judged: Any, attempt: Attempt) -> _Verdict:
        if isinstance(judged, bool) or judged is None:
            return _Verdict(bool(judged), None)
        confidence = float(judged)
        return _Verdict(confidence >= (attempt._threshold or 0.0), confidence)

    def _no_verdict(self) -> _Verdict:
        """`accept` failed: the answer is there, but does not convince."""
        _safely.report(f"accept of cascade {self.name}", message="failed; the answer counts as not accepted")
        return _Verdict(False, None)

    def _steps(self, task: str | None) -> _Steps:
        threshold = self._threshold
        if isinstance(threshold, Mapping):
            threshold = threshold.get(task or "default", threshold.get("default", 0.5))
        return _Steps(self, threshold)


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


class _Steps:
    """Walks up the tiers of one run and keeps its limits."""

    def __init__(self, cascade: Cascade[Any], threshold: float) -> None:
        self._cascade = cascade
        self._threshold = threshold
        self._run = CascadeRun(cascade.name)
        self._started = time.monotonic()
        self._cost_usd = Decimal(0)
        self._tier = -1

    def __next__(self) -> tuple[Attempt, Callable[..., Any]]:
        self._tier += 1
        tier = self._cascade._tiers[self._tier]
        name = getattr(tier, "__name__", "") or f"{self._cascade.name} tier {self._tier}"
        return self._run.attempt(self._tier, self._threshold, name), tier

    def settle(self, attempt: Attempt, verdict: _Verdict) -> bool:
        """Note the outcome; whether this answer is the run's."""
        last = verdict.accepted or self._tier == len(self._cascade._tiers) - 1 or self._is_spent(attempt)
        if last:
            attempt.accept(verdict.confidence)
        else:
            attempt.escalate(verdict.confidence)
        return last

    def after(self, error: Exception) -> tuple[Attempt, Callable[..., Any]]:
        """The next attempt after a failed one, if there is one."""
        if self._tier == len(self._cascade._tiers) - 1:
            raise error
        return next(self)

    def _is_spent(self, attempt: Attempt) -> bool:
        limit_s = self._cascade._max_latency_s
        if limit_s is not None and time.monotonic() - self._started >= limit_s:
            return True
        limit_usd = self._cascade._max_cost_usd
        if limit_usd is None:
            return False
        try:
            self._cost_usd += attempt.cost_usd()
        except Exception:
            _safely.report("cascade cost")
        return self._cost_usd >= limit_usd
