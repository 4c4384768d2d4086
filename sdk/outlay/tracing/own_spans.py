"""Spans of our own: what a span of OpenTelemetry's SDK is to its readers, made in a third of the time.

Ours are always sampled, have one processor, and their attributes are mostly short plain values, so that the copies and
checks which the SDK's tracer makes of each span are not needed. Limits hold as `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` and
its kin have them.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation import _SPAN_KEY

from outlay import _safely, semconv

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from outlay.tracing.processor import OutlayProcessor

_PLAIN = frozenset({str, int, float, bool})
_RANDOM_TRACE_ID = 0x02  # W3C Trace Context, level 2
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM = TraceFlags(TraceFlags.SAMPLED | _RANDOM_TRACE_ID)
_UNSET = Status(StatusCode.UNSET)


class OwnTracer:
    """Makes them.

    Args:
        processor: Is told of each start and end.
        resource: What they say about this service.
        ids: Where ids come from; random by default.
        version: Of this SDK.
    """

    def __init__(self, processor: OutlayProcessor, resource: Resource, ids: IdGenerator | None, version: str) -> None:
        self.processor = processor
        self.resource = resource
        self.limits = SpanLimits()
        self.scope = InstrumentationScope(semconv.SCOPE, version, f"https://opentelemetry.io/schemas/{semconv.VERSION}")
        self._ids = ids or RandomIdGenerator()
        is_random = getattr(self._ids, "is_trace_id_random", None)
        self._root_flags = _SAMPLED_RANDOM if is_random is not None and is_random() else _SAMPLED

    def start_span(
        self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, Any], start_ns: int | None
    ) -> OwnSpan:
        """Start a span inside of what is current in `context`."""
        around: Any = context.get(_SPAN_KEY)
        parent = around.get_span_context() if isinstance(around, Span) else None
        if parent is None or not parent.is_valid:
            parent, trace_id, flags, state = None, self._ids.generate_trace_id(), self._root_flags, None
        else:
            trace_id, state = parent.trace_id, parent.trace_state
            flags = _SAMPLED_RANDOM if parent.trace_flags & _RANDOM_TRACE_ID else _SAMPLED
        own = SpanContext(trace_id, self._ids.generate_span_id(), False, flags, state)
        span = OwnSpan(self, name, own, parent, kind, attributes, start_ns)
        self.processor.begun()
        return span


class OwnSpan(ReadableSpan, Span):
    """One of them."""

    _context: SpanContext

    def __init__(
        self,
        tracer: OwnTracer,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        start_ns: int | None,
    ) -> None:
        # How long it takes is told by a clock that nobody sets.
        self._steady_ns = time.monotonic_ns() if start_ns is None else None
        super().__init__(
            name,
            context,
            parent,
            tracer.resource,
            None,
            (),
            (),
            kind,
            None,
            _UNSET,
            time.time_ns() if start_ns is None else start_ns,
            None,
            tracer.scope,
        )
        self._tracer = tracer
        self._ending = threading.Lock()
        self._attributes: dict[str, Any] | BoundedAttributes = {}
        self._add(attributes)

    def _add(self, attributes: Mapping[str, Any]) -> None:
        """Take attributes: plain ones as they are, others, or too many, as OpenTelemetry cuts them to size."""
        have, limits = self._attributes, self._tracer.limits
        most, longest = limits.max_span_attributes, limits.max_span_attribute_length
        if type(have) is dict:
            for key, value in attributes.items():
                if type(value) not in _PLAIN or type(key) is not str or not key:
                    is_plain = False
                    break
            else:
                is_plain = longest is None
            if is_plain and (most is None or len(have) + len(attributes) <= most):
                have.update(attributes)
                return
            have = self._attributes = BoundedAttributes(most, have, immutable=False, max_value_len=longest)
        for key, value in attributes.items():
            have[key if isinstance(key, str) else str(key)] = value

    # --- as anyone's span

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._context

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What is known of it; a copy while more may come."""
        return MappingProxyType(self._attributes if self._end_time is not None else dict(self._attributes))

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        return self._end_time is None

    def _is_open(self) -> bool:
        if self._end_time is not None:
            _safely.warn("ended span", "the span %r has ended; what is added to it now is not kept", self._name)
        return self._end_time is None

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes."""
        if self._is_open():
            self._add(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """Add one."""
        self.set_attributes({key: value})

    def update_name(self, name: str) -> None:
        """Call it something else."""
        if self._is_open():
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went; what went well stays so."""
        found = status if isinstance(status, Status) else Status(status, description)
        is_final = self._status.status_code is StatusCode.OK
        if self._is_open() and not is_final and found.status_code is not StatusCode.UNSET:
            self._status = found

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add something that happened in it."""
        if self._is_open():
            limits = self._tracer.limits
            events = self._events if isinstance(self._events, BoundedList) else BoundedList(limits.max_events)
            self._events = events
            events.append(Event(name, self._cut(attributes, limits.max_event_attributes), timestamp))

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add another span that it has to do with."""
        if self._is_open() and context is not None:
            limits = self._tracer.limits
            links = self._links if isinstance(self._links, BoundedList) else BoundedList(limits.max_links)
            self._links = links
            links.append(Link(context, self._cut(attributes, limits.max_link_attributes)))

    def _cut(self, attributes: Any, most: int | None) -> BoundedAttributes:
        """Attributes of an event or a link, cut to size."""
        return BoundedAttributes(most, attributes, max_value_len=self._tracer.limits.max_attribute_length)

    def record_exception(
        self, exception: BaseException, attributes: Any = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        """Add an error as an event, with the names of OpenTelemetry's conventions for exceptions."""
        kind = type(exception)
        named = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        found = {
            "exception.type": named,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**found, **(attributes or {})}, timestamp)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None and self.is_recording():
            self.record_exception(error, escaped=True)
            self.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self.end()

    def end(self, end_time: int | None = None) -> None:
        """It is over; nothing changes in it any more."""
        with self._ending:
            if self._end_time is not None:
                return
            self._end_time = self._now_ns() if end_time is None else end_time
        self._tracer.processor.on_end(self)

    def _now_ns(self) -> int:
        start_ns: int = self._start_time or 0
        if self._steady_ns is None:
            return max(time.time_ns(), start_ns)
        return start_ns + time.monotonic_ns() - self._steady_ns
