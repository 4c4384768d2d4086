"""Cascades: the cheap model first, a stronger one when the answer does not convince.

Every attempt is a span with its tier, confidence and outcome; the attempts of one run share a run id, and the calls
inside belong to their attempt. The cost of a run counts the cheap attempt of escalated requests, too. An answer that is
taken although nothing accepted it, since a limit was reached or the last tier failed, is marked `outlay.cascade.forced`
on the attempt that ended the run; it does not count as accepted.
"""

from __future__ import annotations

import inspect
import math
import os
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar, cast
from weakref import WeakSet

from outlay import _safely
from outlay._kinds import is_async, is_generator, title_of
from outlay.tracing.call import Call, Tally, last_call
from outlay.tracing.client import get_client
from outlay.tracing.frame import Frame
from outlay.tracing.track import Tracker, track

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


Fallback = Literal["best", "last", "raise"]


@dataclass(frozen=True, slots=True)
class _Verdict:
    accepted: bool
    confidence: float | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer in hand that did not convince."""

    value: Any
    confidence: float | None
    call: Call | None


# Cascades of which a tier's answer showed that they give awaitables. Not kept on them: a cache tells a cascade by what
# it holds, which must not change with its first answer.
_turned_async: WeakSet[Any] = WeakSet()


class Cascade(Generic[T]):
    """Tries its tiers in order until an answer is accepted.

    Args:
        name: Name of the cascade.
        tiers: Callables with the same parameters, cheapest first; all sync, or all async: then calling the cascade
            gives an awaitable. Functions that return awaitables count as async.
        accept: Judges an answer: True or False, or a confidence to compare with the threshold. May be async where the
            tiers are. An answer that it fails on, or gives NaN for, does not convince.
        threshold: Confidence needed; one number, or one per task with a `"default"`.
        max_latency_s: After that much time the answer at hand is taken.
        max_cost_usd: After that much money (list prices, failed tiers included) the answer at hand is taken.
        fallback: What a run gives whose last tier failed, or whose limit a failed tier used up: the `best` answer in
            hand (the most confident; of those without confidence the latest), the `last` one, or `raise`.

    The answer of the last tier is taken as it is. A tier that raises hands over to the next; where nobody has answered,
    the last one's exception is the caller's. `score()` after a run is about the answer, not about the judge.

    Raises:
        TypeError, ValueError: If tiers, `accept`, `threshold` and limits cannot work together.

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
        fallback: Fallback = "best",
    ) -> None:
        if not tiers:
            raise ValueError(f"cascade {name!r} needs at least one tier")
        for part in (*tiers, accept):
            if not callable(part):
                raise TypeError(f"cascade {name!r}: tiers and accept are functions, unlike {part!r}")
            if is_generator(part):
                raise TypeError(f"cascade {name!r}: {title_of(part)} yields; a tier returns one answer")
        kinds = {is_async(tier) for tier in tiers}
        if len(kinds) > 1:
            raise ValueError(f"cascade {name!r}: tiers must be all sync or all async")
        if is_async(accept) and not kinds.pop() and not any(_may_hide(tier) for tier in tiers):
            raise ValueError(f"cascade {name!r}: accept is async, but the tiers are not")
        for number in threshold.values() if isinstance(threshold, Mapping) else [threshold]:
            if not isinstance(number, (int, float)):
                raise TypeError(f"cascade {name!r}: a threshold is a number, not {number!r}")
            if not math.isfinite(number):
                raise ValueError(f"cascade {name!r}: a threshold is a finite number, not {number!r}")
        if fallback not in ("best", "last", "raise"):
            raise ValueError(f"cascade {name!r}: fallback is best, last or raise, not {fallback!r}")
        self.name = name
        self._is_declared_async = is_async(tiers[0])
        self._tiers = list(tiers)
        self._accept = accept
        self._threshold = threshold
        self._max_latency_s = _limit(f"cascade {name!r}: max_latency_s", max_latency_s)
        self._max_cost_usd = _limit(f"cascade {name!r}: max_cost_usd", max_cost_usd)
        self._fallback = fallback

    @property
    def _is_async(self) -> bool:
        return self._is_declared_async or self in _turned_async

    def __call__(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer, to be awaited where the tiers are async; `task` picks the threshold and is recorded."""
        if self._is_async:
            return cast(T, self.arun(*args, task=task, **kwargs))
        walk = self._walk(task, args, kwargs)
        try:
            awaitable, attempt = next(walk)
        except StopIteration as stop:
            return cast(T, stop.value)
        _turned_async.add(self)
        attempt._pause()
        return cast(T, _finish(walk, awaitable, attempt, is_paused=True))

    def run(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer of synchronous tiers."""
        walk = self._walk(task, args, kwargs)
        if not self._is_async:
            try:
                awaitable, _ = next(walk)
            except StopIteration as stop:
                return cast(T, stop.value)
            _turned_async.add(self)
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            walk.close()
        raise TypeError(f"the tiers of cascade {self.name!r} are async: await it, or its arun()")

    async def arun(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer of asynchronous tiers; takes sync ones, too."""
        walk = self._walk(task, args, kwargs)
        try:
            awaitable, attempt = next(walk)
        except StopIteration as stop:
            return cast(T, stop.value)
        return cast(T, await _finish(walk, awaitable, attempt))

    def _walk(
        self, task: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Generator[tuple[Any, Attempt], Any, Any]:
        """Walk up the tiers. What has to be awaited is handed out, and its value or exception sent back."""
        run = _Run(self, task)
        for number, tier in enumerate(self._tiers):
            is_last = number == len(self._tiers) - 1
            attempt = run.attempt(number, tier)
            try:
                with attempt:
                    try:
                        answer = tier(*args, **kwargs)
                        if inspect.isawaitable(answer):
                            answer = yield answer, attempt
                    except Exception:
                        attempt._is_forced = run.must_fall_back(attempt, is_last)
                        raise
                    attempt.answered()
                    try:
                        judged = self._accept(answer)
                        if inspect.isawaitable(judged):
                            judged = yield judged, attempt
                        verdict = self._judge(judged, attempt)
                    except Exception:
                        verdict = self._no_verdict()
                    if run.settle(attempt, verdict, is_last):
                        attempt._point_scores(attempt.call)
                        return answer
                    run.in_hand.append(_Answer(answer, verdict.confidence, attempt.call))
            except Exception:
                if attempt._is_forced:
                    best = run.best()
                    attempt._point_scores(best.call)
                    return best.value
                if is_last or run.is_over:
                    raise
        raise AssertionError("the last tier ends the run")

    def _judge(self, judged: Any, attempt: Attempt) -> _Verdict:
        if isinstance(judged, bool) or judged is None:
            return _Verdict(bool(judged), None)
        confidence = float(judged)
        if math.isnan(confidence):
            _safely.warn(
                f"accept of cascade {self.name}", "accept of cascade %s gave NaN, which is no confidence", self.name
            )
            return _Verdict(False, None)
        return _Verdict(confidence >= (attempt._threshold or 0.0), confidence)

    def _no_verdict(self) -> _Verdict:
        """`accept` failed: the answer is there, but does not convince."""
        _safely.report(f"accept of cascade {self.name}", message="failed; the answer counts as not accepted")
        return _Verdict(False, None)


def _limit(what: str, given: Decimal | float | None) -> Decimal | None:
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


def _may_hide(function: Any) -> bool:
    """Whether it may return an awaitable although it is no coroutine function: a lambda, a method of an object."""
    return getattr(function, "__name__", "<lambda>") == "<lambda>"


async def _finish(
    walk: Generator[tuple[Any, Attempt], Any, Any], awaitable: Any, attempt: Attempt, is_paused: bool = False
) -> Any:
    """Await what a run hands out until it ends."""
    if is_paused:
        attempt._resume()
    while True:
        try:
            value = await awaitable
        except BaseException as error:
            step: Callable[[], Any] = _partial(walk.throw, error)
        else:
            step = _partial(walk.send, value)
        try:
            awaitable, _ = step()
        except StopIteration as stop:
            return stop.value


def _partial(function: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: function(value)


class _Run:
    """One run: its limits and the answers in hand."""

    def __init__(self, cascade: Cascade[Any], task: str | None) -> None:
        threshold = cascade._threshold
        if isinstance(threshold, Mapping):
            threshold = threshold.get(task or "default", threshold.get("default", 0.5))
        self._cascade = cascade
        self._threshold = threshold
        self._run = CascadeRun(cascade.name, task=task)
        self._started = time.monotonic()
        self._cost_usd = Decimal(0)
        self.in_hand: list[_Answer] = []
        self.is_over = False

    def attempt(self, number: int, tier: Callable[..., Any]) -> Attempt:
        """The attempt of a tier."""
        name = getattr(tier, "__name__", "") or f"{self._cascade.name} tier {number}"
        return self._run.attempt(number, self._threshold, name)

    def settle(self, attempt: Attempt, verdict: _Verdict, is_last: bool) -> bool:
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
        return self.is_over and self._cascade._fallback != "raise"

    def best(self) -> _Answer:
        """The answer in hand that is to be taken."""
        if self._cascade._fallback == "last":
            return self.in_hand[-1]
        return max(reversed(self.in_hand), key=lambda one: -math.inf if one.confidence is None else one.confidence)

    def _is_spent(self, attempt: Attempt) -> bool:
        limit_s = self._cascade._max_latency_s
        limit_usd = self._cascade._max_cost_usd
        if limit_usd is not None:
            try:
                self._cost_usd += attempt.cost_usd()
            except Exception:
                _safely.report("cascade cost")
        if limit_s is not None and time.monotonic() - self._started >= limit_s:
            return True
        return limit_usd is not None and self._cost_usd >= limit_usd
