"""Cascades: the cheap model first, a stronger one when the answer does not convince.

Every attempt is a span with its tier, confidence and outcome; the attempts of one run share a run id, and the calls
inside belong to their attempt. The cost of a run counts the cheap attempt of escalated requests, too. An answer that is
taken although nothing accepted it, since a limit was reached or the last tier failed, is marked `outlay.cascade.forced`
on the attempt that ended the run; it does not count as accepted.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar, cast
from weakref import WeakSet

from outlay import _safely
from outlay._kinds import is_async, is_generator, title_of
from outlay.optimizations.cascade_run import Attempt, CascadeRun, limit_of
from outlay.optimizations.walk import driven
from outlay.tracing.call import Call

T = TypeVar("T")

Accept = Callable[[Any], bool | float]

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
        self._max_latency_s = limit_of(f"cascade {name!r}: max_latency_s", max_latency_s)
        self._max_cost_usd = limit_of(f"cascade {name!r}: max_cost_usd", max_cost_usd)
        self._fallback = fallback

    @property
    def _is_async(self) -> bool:
        return self._is_declared_async or self in _turned_async

    def __call__(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer, to be awaited where the tiers are async; `task` picks the threshold and is recorded."""
        if self._is_async:
            return cast(T, self.arun(*args, task=task, **kwargs))
        run = _Run(self, task)
        walk = self._walk(run, args, kwargs)
        try:
            awaitable = next(walk)
        except StopIteration as stop:
            return cast(T, stop.value)
        _turned_async.add(self)
        run.latest._pause()
        return cast(T, _resumed(walk, awaitable, run.latest))

    def run(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer of synchronous tiers."""
        walk = self._walk(_Run(self, task), args, kwargs)
        if not self._is_async:
            try:
                awaitable = next(walk)
            except StopIteration as stop:
                return cast(T, stop.value)
            _turned_async.add(self)
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            walk.close()
        raise TypeError(f"the tiers of cascade {self.name!r} are async: await it, or its arun()")

    async def arun(self, *args: Any, task: str | None = None, **kwargs: Any) -> T:
        """The accepted answer of asynchronous tiers; takes sync ones, too."""
        return cast(T, await driven(self._walk(_Run(self, task), args, kwargs)))

    def _walk(self, run: _Run, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Generator[Any, Any, Any]:
        """Walk up the tiers."""
        for number, tier in enumerate(self._tiers):
            is_last = number == len(self._tiers) - 1
            attempt = run.attempt(number, tier)
            try:
                with attempt:
                    try:
                        answer = tier(*args, **kwargs)
                        if inspect.isawaitable(answer):
                            answer = yield answer
                    except Exception:
                        attempt._is_forced = run.must_fall_back(attempt, is_last)
                        raise
                    attempt.answered()
                    try:
                        judged = self._accept(answer)
                        if inspect.isawaitable(judged):
                            judged = yield judged
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


def _may_hide(function: Any) -> bool:
    """Whether it may return an awaitable although it is no coroutine function: a lambda, a method of an object."""
    return getattr(function, "__name__", "<lambda>") == "<lambda>"


async def _resumed(walk: Generator[Any, Any, Any], awaitable: Any, attempt: Attempt) -> Any:
    """Go on with a run whose first tier turned out to give an awaitable."""
    attempt._resume()
    return await driven(walk, awaitable)


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
        self.latest: Attempt  # the attempt under way

    def attempt(self, number: int, tier: Callable[..., Any]) -> Attempt:
        """The attempt of a tier."""
        name = getattr(tier, "__name__", "") or f"{self._cascade.name} tier {number}"
        self.latest = self._run.attempt(number, self._threshold, name)
        return self.latest

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
