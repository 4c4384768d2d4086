"""Cascades: the cheap model first, a stronger one when the answer does not convince.

Every attempt is a span with its tier, confidence and outcome; the attempts of one run share a run id, and the calls
inside belong to their attempt. The cost of a run counts the cheap attempt of escalated requests, too. An answer that is
taken although nothing accepted it, since a limit was reached or the last tier failed, is marked `outlay.cascade.forced`
on the attempt that ended the run; it does not count as accepted.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload
from weakref import WeakKeyDictionary, WeakSet

from outlay import _safely
from outlay._kinds import is_async
from outlay.optimizations.asking import asked
from outlay.optimizations.cascade_limits import CascadeOptions, check_functions, thresholds_of, timeouts_of
from outlay.optimizations.cascade_run import Attempt, CascadeResult, Judging, limit_of
from outlay.optimizations.cascade_state import (
    TOP,
    Answer,
    Fallback,
    Limits,
    Resting,
    Run,
    Threshold,
    Verdict,
    verdict_of,
)
from outlay.optimizations.cascade_streams import Streaming, closed, judged_by, streamed
from outlay.optimizations.walk import begun, driven, drop

P = ParamSpec("P")
R = TypeVar("R")  # what a tier gives: an answer, or something to be awaited
T = TypeVar("T")  # an answer

Verdicts = bool | float | Awaitable[bool | float]
Later = Coroutine[Any, Any, T]

# Cascades of which a tier's answer showed that they give awaitables. Not kept on them: a cache tells a cascade by what
# it holds, which must not change with its first answer.
_turned_async: WeakSet[Any] = WeakSet()
_resting: WeakKeyDictionary[Any, Resting] = WeakKeyDictionary()


class Cascade(Generic[P, R]):
    """Tries its tiers in order until an answer is accepted.

    Args:
        name: Name of the cascade.
        tiers: Callables with the same parameters, cheapest first. Where one of them, or `accept`, is async, calling
            the cascade gives an awaitable; sync ones then run in the event loop. Functions that return awaitables
            count as async.
        accept: Judges an answer: True or False, or a confidence to compare with the threshold. May be async. An answer
            that it fails on, or gives NaN for, does not convince.
        threshold: Confidence needed, 0–1; one number, or one per task with `"*"` (or `"default"`) for all others.
            `outlay.TOP` asks the last tier alone.
        timeout_s: Longest time of an attempt, for all tiers or one per tier; then it has failed. An async tier is
            cancelled; a sync one goes on in a thread of its own, and its answer is dropped.
        max_latency_s: After that much time the answer at hand is taken.
        max_cost_usd: After that much money (list prices, failed tiers included) the answer at hand is taken.
        fallback: What a run gives whose last tier failed, or whose limit a failed tier used up: the `best` answer in
            hand (the most confident; of those without confidence the latest), the `last` one, or `raise`.
        rest_s: How long a tier that failed three times in a row is left out; the last tier never is.
        stream: The tiers stream, and may be generators: `accept` judges the `whole`, a list of all parts, or the
            `first` part. The caller gets every part as it is; after the first the provider's own stream goes on. A
            stream that does not convince by its first part is closed, and is no answer in hand.

    The answer of the last tier is taken as it is. A tier that raises hands over to the next; where nobody has answered,
    the last one's exception is the caller's. `score()` after a run is about the answer, not about the judge,
    whose calls are marked `outlay.cascade.judge`.

    Raises:
        TypeError, ValueError: If tiers, `accept`, `threshold` and limits cannot work together.

    Example:
        answer = outlay.Cascade("answer", [ask_small, ask_large], accept=lambda a: a.confidence, threshold=0.8)
        print(answer("What is the capital of Bern?"))
    """

    @overload
    def __init__(
        self,
        name: str,
        tiers: Sequence[Callable[P, R]],
        accept: Callable[[Any], Verdicts],
        *,
        stream: Streaming,
        **options: Unpack[CascadeOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Cascade[P, Later[T]],
        name: str,
        tiers: Sequence[Callable[P, Later[T]]],
        accept: Callable[[T], Verdicts],
        **options: Unpack[CascadeOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Cascade[P, Later[T]],
        name: str,
        tiers: Sequence[Callable[P, T]],
        accept: Callable[[T], Awaitable[bool | float]],
        **options: Unpack[CascadeOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        name: str,
        tiers: Sequence[Callable[P, R]],
        accept: Callable[[R], bool | float],
        **options: Unpack[CascadeOptions],
    ) -> None: ...
    def __init__(
        self,
        name: str,
        tiers: Sequence[Callable[..., Any]],
        accept: Callable[[Any], Verdicts],
        *,
        threshold: Threshold | Mapping[str, Threshold] = 0.5,
        timeout_s: float | Sequence[float | None] | None = None,
        max_latency_s: float | None = None,
        max_cost_usd: Decimal | float | None = None,
        fallback: Fallback = "best",
        rest_s: float = 0.0,
        stream: Streaming | None = None,
    ) -> None:
        check_functions(name, tiers, accept, stream is not None)
        if fallback not in ("best", "last", "raise"):
            raise ValueError(f"cascade {name!r}: fallback is best, last or raise, not {fallback!r}")
        self.name = name
        if stream not in (None, "whole", "first"):
            raise ValueError(f"cascade {name!r}: stream is whole or first, not {stream!r}")
        self._stream = stream
        self._tiers = list(tiers) if stream is None else [streamed(tier, stream) for tier in tiers]
        self._is_declared_async = any(is_async(part) for part in (*self._tiers, accept))
        self._accept = accept if stream is None else judged_by(accept)
        self._limits = Limits(
            threshold=thresholds_of(name, threshold),
            timeouts_s=timeouts_of(name, timeout_s, len(tiers)),
            max_latency_s=limit_of(f"cascade {name!r}: max_latency_s", max_latency_s),
            max_cost_usd=limit_of(f"cascade {name!r}: max_cost_usd", max_cost_usd),
            fallback=fallback,
            rest_s=float(limit_of(f"cascade {name!r}: rest_s", rest_s) or 0),
            failures=3,
        )

    @property
    def _is_async(self) -> bool:
        return self._is_declared_async or self in _turned_async

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, task: str | None, **kwargs: Any) -> R: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The accepted answer, to be awaited where the tiers are async; `task` picks the threshold and is recorded."""
        if self._is_async:
            return self.arun(*args, **kwargs)
        run = self._run(kwargs)
        walk = self._walk(run, args, kwargs, awaits=False)
        found, is_answer = begun(walk)
        if is_answer:
            return found
        _turned_async.add(self)
        run.attempts[-1]._pause()
        return _resumed(walk, found, run.attempts[-1])

    @overload
    def run(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run(self, *args: Any, task: str | None, **kwargs: Any) -> R: ...
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The accepted answer of synchronous tiers."""
        return self._finish(self._run(kwargs), args, kwargs, "arun")

    @overload
    def run_detailed(self, *args: P.args, **kwargs: P.kwargs) -> CascadeResult[R]: ...
    @overload
    def run_detailed(self, *args: Any, task: str | None, **kwargs: Any) -> CascadeResult[R]: ...
    def run_detailed(self, *args: Any, **kwargs: Any) -> Any:
        """The answer with its tier, its confidence, what it cost and each attempt."""
        run = self._run(kwargs)
        self._finish(run, args, kwargs, "arun_detailed")
        return run.result()

    @overload
    async def arun(self: Cascade[P, Later[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def arun(self: Cascade[P, Later[T]], *args: Any, task: str | None, **kwargs: Any) -> T: ...
    @overload
    async def arun(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    async def arun(self, *args: Any, task: str | None, **kwargs: Any) -> R: ...
    async def arun(self, *args: Any, **kwargs: Any) -> Any:
        """The accepted answer, whether tiers are sync or async."""
        return await driven(self._walk(self._run(kwargs), args, kwargs, awaits=True))

    @overload
    async def arun_detailed(self: Cascade[P, Later[T]], *args: P.args, **kwargs: P.kwargs) -> CascadeResult[T]: ...
    @overload
    async def arun_detailed(
        self: Cascade[P, Later[T]], *args: Any, task: str | None, **kwargs: Any
    ) -> CascadeResult[T]: ...
    @overload
    async def arun_detailed(self, *args: P.args, **kwargs: P.kwargs) -> CascadeResult[R]: ...
    @overload
    async def arun_detailed(self, *args: Any, task: str | None, **kwargs: Any) -> CascadeResult[R]: ...
    async def arun_detailed(self, *args: Any, **kwargs: Any) -> Any:
        """As `run_detailed`, whether tiers are sync or async."""
        run = self._run(kwargs)
        await driven(self._walk(run, args, kwargs, awaits=True))
        return run.result()

    def _run(self, kwargs: dict[str, Any]) -> Run:
        """A run; `task` among the keywords is for it, the others are for the tiers."""
        task = kwargs.pop("task", None)
        return Run(self.name, self._limits, task if task is None or isinstance(task, str) else str(task))

    def _finish(self, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any], instead: str) -> Any:
        """The answer of a run in which nothing is awaited."""
        if not self._is_async:
            walk = self._walk(run, args, kwargs, awaits=False)
            found, is_answer = begun(walk)
            if is_answer:
                return found
            _turned_async.add(self)
            drop(found)
            walk.close()
        raise TypeError(f"the tiers of cascade {self.name!r} are async: await it, or its {instead}()")

    def _walk(self, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any], awaits: bool) -> Generator[Any, Any, Any]:
        """Walk up the tiers."""
        last = len(self._tiers) - 1
        resting = _resting.setdefault(self, Resting())
        for number, tier in enumerate(self._tiers):
            is_last = number == last
            if not is_last and (run.threshold == TOP or resting.rests(number, self._limits)):
                continue
            attempt = run.attempt(number, tier)
            try:
                with attempt:
                    try:
                        limit_s = self._limits.timeouts_s[number]
                        answer = yield from asked(tier, args, kwargs, limit_s, awaits)
                    except Exception:
                        resting.note(number, True)
                        attempt._is_forced = run.must_fall_back(attempt, is_last)
                        raise
                    resting.note(number, False)
                    attempt.answered()
                    try:
                        with Judging():
                            judged = self._accept(answer)
                            if inspect.isawaitable(judged):
                                judged = yield judged
                        verdict = verdict_of(self.name, judged, attempt._threshold)
                    except Exception:
                        _safely.report(
                            f"accept of cascade {self.name}", message="failed; the answer counts as not accepted"
                        )
                        verdict = Verdict(False, None)
                    found = Answer(answer, verdict.confidence, attempt.call, number)
                    if run.settle(attempt, verdict, is_last):
                        attempt._point_scores(attempt.call)
                        run.taken = found
                        return answer
                    if self._stream == "first":
                        yield from closed(answer)
                    else:
                        run.in_hand.append(found)
            except Exception:
                if attempt._is_forced:
                    run.taken = run.best()
                    attempt._point_scores(run.taken.call)
                    return run.taken.value
                if is_last or run.is_over:
                    raise
        raise AssertionError("the last tier ends the run")


async def _resumed(walk: Generator[Any, Any, Any], awaitable: Any, attempt: Attempt) -> Any:
    """Go on with a run whose first tier turned out to give an awaitable."""
    attempt._resume()
    return await driven(walk, awaitable)
