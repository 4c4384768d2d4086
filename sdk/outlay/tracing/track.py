"""The one decorator: `@outlay.track`, also a context manager.

Calls made inside belong to the tracked function: they carry its feature and tags and are its children in the trace.
Sync, async, generator and async generator functions each have a branch; signatures and types stay as they are. What
a function leaves for later, as a generator or a streaming response, still belongs to it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind

from outlay import _names, _safely, semconv
from outlay._time import Instant, to_ns
from outlay.tracing.context import EMPTY, SCOPE_KEY, Scope, entered
from outlay.tracing.deferred import Start, async_generator, conclude, generator
from outlay.tracing.frame import OFF, Frame, facts_attributes
from outlay.tracing.lifecycle import get_client

P = ParamSpec("P")
R = TypeVar("R")


# Not kept on the functions: what a function has tells it apart in a cache around this one.
_trackers: WeakKeyDictionary[Any, Tracker] = WeakKeyDictionary()


class Tracker:
    """What `track(...)` returns: decorates a function, or is entered as a block."""

    __slots__ = ("_attributes", "_end_ns", "_frames", "_inherit", "_name", "_passed_on", "_start_ns")

    def __init__(
        self,
        name: str | None,
        attributes: dict[str, Any],
        inherit: bool,
        start_ns: int | None,
        end_ns: int | None,
    ) -> None:
        self._name = name
        self._attributes = attributes
        # What calls inside carry, too; a cascade's attempt or a cache's lookup is this span alone.
        self._passed_on = {key: value for key, value in attributes.items() if semconv.is_passed_on(key)}
        self._inherit = inherit
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._frames: list[Frame | None] = []

    def _open(self, name: str, attach: bool = True) -> Frame | None:
        """Start a span and a scope; None when switched off or when it fails."""
        try:
            client = get_client()
            if not client.enabled:
                return None
            context = otel_context.get_current()
            outer = context.get(SCOPE_KEY)
            if not isinstance(outer, Scope):
                outer = EMPTY
            passed_on, attributes = self._passed_on, self._attributes
            if outer.attributes:
                if self._inherit:
                    passed_on = {**passed_on, **outer.attributes}
                    attributes = {**attributes, **outer.attributes}
                else:
                    passed_on = {**outer.attributes, **passed_on}
                    attributes = {**outer.attributes, **attributes}
            span = client.start_span(name, SpanKind.INTERNAL, attributes, context, self._start_ns)
            frame = Frame(client, span, outer.frame, context, self._end_ns)
            frame.context = entered(context, Scope(passed_on, frame), span, client.is_apart(span))
            if attach:
                frame.attach(context)
            return frame
        except Exception:
            _safely.swallow("track")
            return None

    def __enter__(self) -> Frame:
        frame = self._open(self._name or str(self._attributes.get(semconv.FEATURE) or "track"))
        self._frames.append(frame)
        return frame if frame is not None else cast(Frame, OFF)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        frame = self._left()
        if frame is not None:
            frame.end(error)

    def _left(self) -> Frame | None:
        """The frame that was entered here: threads and tasks may share the block."""
        frames = self._frames
        if len(frames) > 1:
            here = otel_context.get_current().get(SCOPE_KEY)
            inner = here.frame if isinstance(here, Scope) else None
            if isinstance(inner, Frame) and inner in frames:
                frames.remove(inner)
                return inner
        return frames.pop() if frames else None

    async def __aenter__(self) -> Frame:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (classmethod, staticmethod)):
            return cast(Callable[P, R], type(function)(self(function.__func__)))
        if not callable(function) or isinstance(function, type):
            kind = f"the class {function.__name__}" if isinstance(function, type) else repr(function)
            raise TypeError(
                f"track decorates functions, not {kind}: decorate its methods, or the function inside of it"
            )
        named = function.func if isinstance(function, functools.partial) else function
        name = self._name or getattr(named, "__qualname__", type(named).__qualname__).replace(".<locals>", "")

        def is_a(kind: Callable[[Any], bool]) -> bool:
            return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004

        wrapped: Any
        if is_a(inspect.isasyncgenfunction):
            wrapped = functools.wraps(function)(async_generator(self._start(function, name)))
        elif is_a(inspect.iscoroutinefunction):
            wrapped = self._wrap_async(cast(Any, function), name)
        elif is_a(inspect.isgeneratorfunction):
            wrapped = functools.wraps(function)(generator(self._start(function, name)))
        else:
            wrapped = self._wrap_sync(function, name)
        _trackers[wrapped] = self
        return cast(Callable[P, R], wrapped)

    def _wrap_sync(self, function: Callable[P, R], name: str) -> Callable[P, R]:
        @functools.wraps(function)
        def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
            frame = self._open(name)
            if frame is None:
                return function(*args, **kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                frame.end(error)
                raise
            return cast(R, conclude(frame, result, args, kwargs))

        return tracked

    def _wrap_async(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        async def tracked(*args: Any, **kwargs: Any) -> Any:
            frame = self._open(name)
            if frame is None:
                return await function(*args, **kwargs)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                frame.end(error)
                raise
            return conclude(frame, result, args, kwargs)

        return tracked

    def _start(self, function: Callable[..., Any], name: str) -> Start:
        def start(*args: Any, **kwargs: Any) -> tuple[Frame | None, Any]:
            iterator = function(*args, **kwargs)
            return self._open(name, attach=False), iterator

        return start


def featured(function: Callable[..., Any], feature: str) -> Callable[..., Any]:
    """The function, tracked for this feature unless the code itself names one: one that is tracked is not, again."""
    tracker = _trackers.get(function)
    inner: Any = function
    while inner is not None:
        found = _trackers.get(inner)
        if found is not None and semconv.FEATURE in found._attributes:
            return function
        inner = getattr(inner, "__wrapped__", None)
    if tracker is None:
        return track(feature=feature)(function)
    facts = {**tracker._attributes, semconv.FEATURE: feature}
    again = Tracker(tracker._name, facts, tracker._inherit, tracker._start_ns, tracker._end_ns)
    return again(cast(Any, function).__wrapped__)


@overload
def track(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def track(
    name: str | None = None,
    /,
    *,
    feature: str | None = None,
    inherit: bool = False,
    started_at: Instant | None = None,
    ended_at: Instant | None = None,
    cascade: Mapping[str, Any] | None = None,
    cache: Mapping[str, Any] | None = None,
    experiment: Mapping[str, Any] | None = None,
    route: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
    **tags: Any,
) -> Tracker: ...
def track(
    function: Callable[P, R] | str | None = None,
    /,
    *,
    feature: str | None = None,
    inherit: bool = False,
    started_at: Instant | None = None,
    ended_at: Instant | None = None,
    **facts: Any,
) -> Callable[P, R] | Tracker:
    """Attribute the model calls made inside to a feature.

    Works on functions, coroutine functions, generators and async generators, and as `with` or `async with`.

    Args:
        function: The function, when used without brackets; or a name for the span.
        feature: What the work is for. Without it an enclosing feature stays in force.
        inherit: Let enclosing features and tags win over the ones given here.
        started_at: When it started, if it lies in the past (datetime, nanoseconds, or seconds as float).
        ended_at: When it ended, if it lies in the past.
        **facts: Tags as in `tags()`; and `cascade`, `cache`, `experiment`, `route` as in `record()`.

    Example:
        @outlay.track(feature="support-triage")
        def triage(ticket: str) -> str: ...

        with outlay.track(feature="backfill", started_at=day, ended_at=day + minute):
            outlay.record(usage={...}, model="gpt-4o", provider="openai", started_at=day)
    """
    if callable(function) or isinstance(function, classmethod):
        return Tracker(None, {}, False, None, None)(function)
    if not (function is None or isinstance(function, str)):
        raise TypeError(f"track takes a function, or a name for the span, not {function!r}")
    if facts:
        _names.check(facts, "track", _names.FACTS)
    try:
        found = facts_attributes(facts)
        if feature is not None:
            found[semconv.FEATURE] = str(feature)
        start_ns = None if started_at is None else to_ns(started_at)
        end_ns = None if ended_at is None else to_ns(ended_at)
    except Exception:
        _safely.swallow("track", message="got facts that it cannot read")
        found, start_ns, end_ns = {}, None, None
    return Tracker(function, found, inherit, start_ns, end_ns)
