"""Frame: one run of a tracked function or block, its span and its place in the context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, Status, StatusCode

from outlay import _safely, semconv
from outlay.parsing.response_parser import look, read_words
from outlay.tracing.call import Call, Tally
from outlay.tracing.client import Client
from outlay.tracing.context import leave, tag_attributes
from outlay.tracing.facts import lever_attributes
from outlay.usage import attributes_of_usage

_NOT_ERRORS = frozenset({"CancelledError", "KeyboardInterrupt", "SystemExit"})


class Frame(Tally):
    """One run of a tracked function or block."""

    __slots__ = (
        "_client",
        "_end_ns",
        "_outer",
        "_token",
        "context",
        "span",
        "span_context",
    )

    def __init__(self, client: Client, span: Span, parent: Tally | None, context: Context, end_ns: int | None) -> None:
        self.parent = parent  # as in Tally, whose __init__ would cost a call
        self.call_count = 0
        self.last_call = None
        self.used = None
        self._client = client
        self._end_ns = end_ns
        self._outer = context
        self._token: Any = None
        self.span = span
        self.span_context: SpanContext = span.get_span_context()
        self.context = context

    @property
    def call(self) -> Call:
        """A handle on this span, for `score(call=…)`."""
        return Call(self.span_context.trace_id, self.span_context.span_id)

    def attach(self, outer: Context | None = None) -> None:
        """Make this the current context, inside of `outer`: the current one."""
        self._outer = otel_context.get_current() if outer is None else outer
        self._token = otel_context.attach(self.context)

    def detach(self) -> None:
        """Leave it, remembering what the code inside did to the context."""
        if self._token is not None:
            token, self._token = self._token, None
            entered, self.context = self.context, otel_context.get_current()
            leave(token, entered, self._outer)

    @_safely.safely()
    def set(self, **facts: Any) -> None:
        """Add facts that are known only now: tags, `usage`, `model`, `provider`, `cascade`, `cache`, `attributes` …"""
        self.span.set_attributes(facts_attributes(facts))

    @_safely.safely()
    def add(self, attributes: Mapping[str, Any]) -> None:
        """As `set`, by the attributes themselves."""
        self.span.set_attributes(attributes)

    def result(self, value: object, arguments: tuple[Any, ...] = (), keywords: Mapping[str, Any] | None = None) -> None:
        """Read usage from what the function returned, if nothing inside was metered."""
        if self.call_count or value is None or isinstance(value, (str, bytes, int, float, bool)):
            return
        try:
            returned = look(value)
            pipeline = self._client.pipeline
            if returned is None or pipeline is None:
                return
            if self._client.keeps_content(self.span_context.trace_id):
                words = read_words(self._client.redact, value, arguments, keywords or {})
                returned = returned._replace(words=words)
            pipeline.late[self.span_context.span_id] = returned
        except Exception:
            _safely.swallow("Frame.result")

    def end(self, error: BaseException | None = None) -> None:
        """End the span."""
        try:
            if self._token is not None:
                token, self._token = self._token, None
                leave(token, self.context, self._outer)
            self._end_span(error)
        except Exception:
            _safely.swallow("Frame.end")

    def _end_span(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, GeneratorExit):
            kind = type(error).__qualname__
            self.span.set_attribute(semconv.ERROR_TYPE, kind)
            if kind not in _NOT_ERRORS:
                self.span.set_status(Status(StatusCode.ERROR, kind))
        end_ns = self._end_ns
        if end_ns is None and self._client.clock is not None:
            end_ns = self._client.clock()
        self.context = (
            self._outer
        )  # what was inside of it holds its scope, and so the frame: a circle for the collector
        self.span.end(end_ns)

    def forget(self) -> None:
        """The work in it is gone: end the span unless it has ended."""
        if self.span.is_recording():
            self.end()


class Off:
    """Stands in for a Frame when Outlay is switched off."""

    call = Call(0, 0)
    last_call = None
    call_count = 0

    def set(self, **facts: Any) -> None:
        """Nothing to add to."""

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Nothing to add to."""


OFF = Off()


def facts_attributes(facts: dict[str, Any]) -> dict[str, Any]:
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
