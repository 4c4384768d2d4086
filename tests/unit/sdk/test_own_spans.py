"""A span of ours is to OpenTelemetry's encoder what a span of its own SDK is, whatever it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
    use_span,
)

import outlay
from outlay import semconv
from outlay.testing import CountingIds, capture
from outlay.tracing.own_spans import OwnTracer
from outlay.tracing.processor import OutlayProcessor

RESOURCE = Resource({"service.name": "shop"})
REMOTE = SpanContext(7, 9, True, TraceFlags(TraceFlags.SAMPLED), TraceState([("vendor", "a")]))
LEVEL_2 = SpanContext(7, 9, False, TraceFlags(0x03))
REFUSED = SpanContext(7, 9, False, TraceFlags(0))


class Odd:
    def __str__(self) -> str:
        return "odd"


ATTRIBUTES: dict[str, dict[Any, Any]] = {
    "none": {},
    "plain": {"a": "x", "n": 1, "f": 0.5, "b": True},
    "sequences": {"reasons": ("stop",), "list": ["a", "b"], "numbers": [1, 2]},
    "nested": {"map": {"a": [1, {"b": "c"}]}, "bytes": b"\x00"},
    "strange": {"nothing": None, "odd": Odd(), "": "no key", 5: "no text"},
    "many": {f"key {n}": n for n in range(150)},
    "long": {"text": "x" * 5000},
}
WORKS: dict[str, Callable[[Span], object]] = {
    "nothing": lambda span: None,
    "more": lambda span: span.set_attributes({"a": "again", "late": ["x"]}),
    "one": lambda span: span.set_attribute("late", "x"),
    "many more": lambda span: [span.set_attribute(f"late {n}", n) for n in range(130)],
    "event": lambda span: [span.add_event(f"e{n}", {"a": [n]}, 1000 + n) for n in range(130)],
    "exception": lambda span: span.record_exception(KeyError("gone"), {"more": 1}, 1000),
    "link": lambda span: span.add_link(REMOTE, {"a": "b"}),
    "name": lambda span: span.update_name("other"),
    "status": lambda span: [span.set_status(StatusCode.ERROR, "bad"), span.set_status(StatusCode.UNSET)],
    "well": lambda span: [span.set_status(Status(StatusCode.OK)), span.set_status(Status(StatusCode.ERROR, "no"))],
    "after the end": lambda span: [
        span.end(2000),
        span.set_attribute("late", 1),
        span.add_event("late"),
        span.update_name("late"),
        span.set_status(StatusCode.ERROR),
        span.end(3000),
    ],
}


class Kept(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class KeptOwn(OutlayProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def begun(self) -> None:
        """Nobody waits."""

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def both(context: Context, attributes: dict[str, Any], work: Callable[[Span], object]) -> tuple[bytes, bytes]:
    """The same span by OpenTelemetry's SDK and by us, encoded."""
    theirs, own = Kept(), KeptOwn()
    provider = TracerProvider(resource=RESOURCE, id_generator=CountingIds(), shutdown_on_exit=False)
    provider.add_span_processor(theirs)
    version = semconv.VERSION
    tracer = provider.get_tracer(semconv.SCOPE, "1", f"https://opentelemetry.io/schemas/{version}")
    ours = OwnTracer(own, provider.resource, CountingIds(), "1")
    for span in (
        tracer.start_span("work", context, SpanKind.CLIENT, attributes, start_time=1000),
        ours.start_span("work", context, SpanKind.CLIENT, attributes, 1000),
    ):
        work(span)
        span.end(2000)
    assert len(theirs.spans) == len(own.spans) == 1
    provider.shutdown()
    first, second = (encode_spans(kept).SerializeToString(deterministic=True) for kept in (theirs.spans, own.spans))
    return first, second


@pytest.mark.parametrize(
    "limits", [{}, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "3", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "4"}]
)
def test_what_is_sent_of_a_span_of_ours_is_what_is_sent_of_opentelemetrys(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, str]
) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(name, value)
    for what, attributes in ATTRIBUTES.items():
        for done, work in WORKS.items():
            theirs, own = both(Context(), attributes, work)
            assert own == theirs, (what, done)


@pytest.mark.parametrize("parent", [REMOTE, LEVEL_2, REFUSED, SpanContext(0, 0, False)])
def test_it_continues_the_trace_that_it_starts_in(parent: SpanContext) -> None:
    inside = set_span_in_context(NonRecordingSpan(parent), Context())
    own = OwnTracer(KeptOwn(), RESOURCE, CountingIds(), "1")
    provider = TracerProvider(resource=RESOURCE, id_generator=CountingIds(), shutdown_on_exit=False)
    # Costs are never sampled, so an application that refuses the trace is told of it only in what it is the parent of.
    provider.sampler = ALWAYS_ON
    span = own.start_span("work", inside, SpanKind.CLIENT, {}, None)
    theirs = provider.get_tracer("x").start_span("work", inside)
    assert span.get_span_context() == theirs.get_span_context()
    assert span.parent == theirs.parent  # type: ignore[attr-defined]
    provider.shutdown()


def test_a_block_of_the_application_that_fails_in_it_is_told_as_an_error_of_it() -> None:
    kept = KeptOwn()
    tracer = OwnTracer(kept, RESOURCE, None, "1")
    for use in (
        lambda span: use_span(span, end_on_exit=True),
        lambda span: span,
    ):
        with pytest.raises(KeyError), use(tracer.start_span("work", Context(), SpanKind.INTERNAL, {}, None)):
            raise KeyError("gone")
    for span in kept.spans:
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "KeyError: 'gone'")
        assert [event.name for event in span.events] == ["exception"]


def test_what_is_read_of_an_open_span_does_not_change_below_the_reader() -> None:
    span = OwnTracer(KeptOwn(), RESOURCE, None, "1").start_span("work", Context(), SpanKind.INTERNAL, {"a": 1}, None)
    before = span.attributes
    span.set_attribute("b", 2)
    assert dict(before) == {"a": 1}
    assert span.is_recording()


def test_a_failure_at_the_start_of_a_span_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture(raise_errors=False) as sent:
        from outlay.tracing.lifecycle import get_client

        pipeline = get_client().pipeline
        assert pipeline is not None
        monkeypatch.setattr(pipeline, "begun", lambda: 1 / 0)
        outlay.record(usage={"input_tokens": 5}, model="gpt-4o", provider="openai")
    assert len(sent.spans) == 1
