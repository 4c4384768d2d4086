"""The one decorator: `@outlay.track`, also a context manager.

Calls made inside belong to the tracked function: they carry its feature and tags and are its children in the trace.
Sync, async, generator and async generator functions each have a branch; signatures and types stay as they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

from outlay import _safely, semconv
from outlay._levers import lever_attributes
from outlay._time import Instant, to_ns
from outlay.call import Call
from outlay.client import Client, get_client
from outlay.context import EMPTY, SCOPE_KEY, Scope, tag_attributes
from outlay.returned import look, read_words
from outlay.usage import attributes_of_usage

P = ParamSpec("P")
R = TypeVar("R")

_NOT_ERRORS = frozenset({"CancelledError", "KeyboardInterrupt", "SystemExit"})


class Frame:
    """One run of a tracked function or block."""

    __slots__ = (
        "_client",
        "_end_ns",
        "_token",
        "call_count",
        "context",
        "last_call",
        "parent",
        "span",
        "span_context",
        "used",
    )

    def __init__(self, client: Client, span: Span, parent: Frame | None, context: Context, end_ns: int | None) -> None:
        self._client = client
        self._end_ns = end_ns
        self._token: Any = None
        self.span = span
        self.span_context: SpanContext = span.get_span_context()
        self.parent = parent
        self.context = context
        self.call_count = 0
        self.last_call: Call | None = None
        self.used: list[dict[str, Any]] | None = None  # a list collects what the calls inside turned out to use

    @property
    def call(self) -> Call:
        """A handle on this span, for `score(call=…)`."""
        return Call(self.span_context.trace_id, self.span_context.span_id)

    def count(self, call: Call) -> None:
        """A call to a model started inside, here or further down."""
        frame: Frame | None = self
        while frame is not None:
            frame.call_count += 1
            frame.last_call = call
            frame = frame.parent

    def collect(self, attributes: dict[str, Any]) -> None:
        """A call inside ended with these attributes."""
        frame: Frame | None = self
        while frame is not None:
            if frame.used is not None:
                frame.used.append(attributes)
            frame = frame.parent

    def attach(self) -> None:
        """Make this the current context."""
        self._token = otel_context.attach(self.context)

    def detach(self) -> None:
        """Leave it, remembering what the code inside did to the context."""
        if self._token is not None:
            self.context = otel_context.get_current()
            otel_context.detach(self._token)
            self._token = None

    @_safely.safely()
    def set(self, **facts: Any) -> None:
        """Add facts that are known only now: tags, `usage`, `model`, `provider`, `cascade`, `cache`, `attributes` …"""
        self.span.set_attributes(_facts(facts))

    @_safely.safely()
    def result(self, value: object, arguments: tuple[Any, ...] = (), keywords: Mapping[str, Any] | None = None) -> None:
        """Read usage from what the function returned, if nothing inside was metered."""
        if self.call_count or value is None or isinstance(value, (str, bytes, int, float, bool)):
            return
        returned = look(value)
        pipeline = self._client.pipeline
        if returned is None or pipeline is None:
            return
        if self._client.keeps_content(self.span_context.trace_id):
            words = read_words(self._client.redact, value, arguments, keywords or {})
            returned = returned._replace(words=words)
        pipeline.late[self.span_context.span_id] = returned

    @_safely.safely()
    def end(self, error: BaseException | None = None) -> None:
        """End the span."""
        self.detach()
        if error is not None and not isinstance(error, GeneratorExit):
            kind = type(error).__qualname__
            self.span.set_attribute(semconv.ERROR_TYPE, kind)
            if kind not in _NOT_ERRORS:
                self.span.set_status(Status(StatusCode.ERROR, kind))
        end_ns = self._end_ns
        if end_ns is None and self._client.clock is not None:
            end_ns = self._client.clock()
        self.span.end(end_ns)


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
            frame.context = Context({**context, _SPAN_KEY: span, SCOPE_KEY: Scope(passed_on, frame)})
            if attach:
                frame.attach()
            return frame
        except Exception:
            _safely.swallow("track")
            return None

    def __enter__(self) -> Frame:
        frame = self._open(self._name or str(self._attributes.get(semconv.FEATURE) or "track"))
        self._frames.append(frame)
        return frame if frame is not None else cast(Frame, _OFF)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        frame = self._frames.pop() if self._frames else None
        if frame is not None:
            frame.end(error)

    async def __aenter__(self) -> Frame:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        name = self._name or getattr(function, "__qualname__", type(function).__qualname__).replace(".<locals>", "")
        target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
        wrapped: Any
        if inspect.isasyncgenfunction(target):
            wrapped = self._wrap_async_generator(cast(Any, function), name)
        elif inspect.iscoroutinefunction(target):
            wrapped = self._wrap_async(cast(Any, function), name)
        elif inspect.isgeneratorfunction(target):
            wrapped = self._wrap_generator(cast(Any, function), name)
        else:
            wrapped = self._wrap_sync(function, name)
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
            frame.result(result, args, kwargs)
            frame.end()
            return result

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
            frame.result(result, args, kwargs)
            frame.end()
            return result

        return tracked

    def _wrap_generator(
        self, function: Callable[..., Generator[Any, Any, Any]], name: str
    ) -> Callable[..., Generator[Any, Any, Any]]:
        @functools.wraps(function)
        def tracked(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            frame = self._open(name, attach=False)
            inner = function(*args, **kwargs)
            if frame is None:
                return (yield from inner)
            step: Callable[[], Any] = functools.partial(next, inner)
            try:
                while True:
                    frame.attach()  # only while the body runs: the caller's context stays the caller's
                    try:
                        value = step()
                    except StopIteration as stop:
                        frame.result(stop.value)
                        frame.end()
                        return stop.value
                    finally:
                        frame.detach()
                    try:
                        sent = yield value
                    except GeneratorExit:
                        frame.attach()
                        inner.close()
                        raise
                    except BaseException as error:
                        step = functools.partial(inner.throw, error)
                    else:
                        step = functools.partial(inner.send, sent)
            except BaseException as error:
                frame.end(error)
                raise

        return tracked

    def _wrap_async_generator(
        self, function: Callable[..., AsyncGenerator[Any, Any]], name: str
    ) -> Callable[..., AsyncGenerator[Any, Any]]:
        @functools.wraps(function)
        async def tracked(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            frame = self._open(name, attach=False)
            inner = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(inner.asend, None)
            try:
                while True:
                    if frame is not None:
                        frame.attach()
                    try:
                        value = await step()
                    except StopAsyncIteration:
                        if frame is not None:
                            frame.end()
                        return
                    finally:
                        if frame is not None:
                            frame.detach()
                    try:
                        sent = yield value
                    except GeneratorExit:
                        if frame is not None:
                            frame.attach()
                        await inner.aclose()
                        raise
                    except BaseException as error:
                        step = functools.partial(inner.athrow, error)
                    else:
                        step = functools.partial(inner.asend, sent)
            except BaseException as error:
                if frame is not None:
                    frame.end(error)
                raise

        return tracked


class _Off:
    """Stands in for a Frame when Outlay is switched off."""

    call = Call(0, 0)
    last_call = None
    call_count = 0

    def set(self, **facts: Any) -> None:
        """Nothing to add to."""


_OFF = _Off()


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
    if callable(function):
        return Tracker(None, {}, False, None, None)(function)
    try:
        found = _facts(facts)
        if feature is not None:
            found[semconv.FEATURE] = str(feature)
        start_ns = None if started_at is None else to_ns(started_at)
        end_ns = None if ended_at is None else to_ns(ended_at)
    except Exception:
        _safely.swallow("track", message="got facts that it cannot read")
        found, start_ns, end_ns = {}, None, None
    return Tracker(function, found, inherit, start_ns, end_ns)


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Attributes of the keywords that `track`, `Frame.set` and `record` share."""
    found: dict[str, Any] = {}
    levers = {
        key: facts.pop(key) for key in ("cascade", "cache", "experiment", "route", "prompt_parts") if key in facts
    }
    usage = facts.pop("usage", None)
    extra = facts.pop("attributes", None)
    for key, attribute in (("model", semconv.REQUEST_MODEL), ("provider", semconv.PROVIDER)):
        if facts.get(key) is not None:
            found[attribute] = str(facts[key])
        facts.pop(key, None)
    if facts:
        found.update(tag_attributes(facts))
    if levers:
        lever_attributes(found, **levers)
    if usage is not None:
        found.update(attributes_of_usage(usage))
    if extra:
        found.update(extra)
    return found
