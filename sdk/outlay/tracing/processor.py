"""The span processor: stamps what the work is for, and queues what ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakSet

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from outlay import _safely, semconv
from outlay.export.slim import with_more
from outlay.tracing import beside
from outlay.tracing.context import current_scope, span_around

if TYPE_CHECKING:
    from outlay.export.queue import Pipeline
    from outlay.settings import Settings


class Inside(NamedTuple):
    """What Outlay is told of a span of the application, and nobody else.

    Attributes:
        parent: The span of ours that it started in.
        attributes: What the work in it is for.
    """

    parent: SpanContext | None
    attributes: Mapping[str, Any]


class Recorder(Protocol):
    """What processors are part of: it may be switched off, or get another pipeline, while they sit in a provider.

    Attributes:
        inside: Ids of open spans of the application → what Outlay is told of them.
        outermost: Ids of open spans that wait at their end until everything is sent.
        queued: Ended spans that a processor has queued, where an exporter of ours gets spans, too.
    """

    enabled: bool
    pipeline: Pipeline | None
    settings: Settings
    inside: dict[int, Inside]
    outermost: set[int]
    queued: WeakSet[ReadableSpan] | None


class OutlayProcessor(SpanProcessor):
    """Sits in the application's tracer provider and in our own.

    The application's spans keep the parents and the attributes that they have there. What is sent to Outlay hangs below
    the spans of ours that they started in, and has their tags.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def begun(self) -> None:
        """A span has begun, ours or another's."""
        pipeline = self._recorder.pipeline
        if pipeline is not None:
            try:
                pipeline.begun()
            except Exception:
                _safely.report("span processor")

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Give spans of other instrumentations the tags of the code they run in."""
        self.begun()
        try:
            scope = span._instrumentation_scope
            if scope is not None and scope.name == semconv.SCOPE:
                return  # ours were born with them
            beside.started(span)
            wanted = current_scope(parent_context).attributes
            if wanted and self._recorder.settings.share_spans:
                have = span.attributes or {}
                span.set_attributes({key: value for key, value in wanted.items() if key not in have})
                wanted = {}
            around = span_around(parent_context if parent_context is not None else get_current())
            parent = None if around is None or span.parent is None else around.get_span_context()
            if span.context is not None and (wanted or parent is not None):
                self._recorder.inside[span.context.span_id] = Inside(parent, wanted)
        except Exception:
            _safely.report("span processor")

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span; never blocks."""
        recorder, context = self._recorder, span.context
        if context is None:
            return
        inside = recorder.inside.pop(context.span_id, None) if recorder.inside else None
        pipeline = recorder.pipeline
        if recorder.enabled and pipeline is not None and context.trace_flags & TraceFlags.SAMPLED:
            try:
                if recorder.queued is not None:
                    recorder.queued.add(span)
                told = span if inside is None else with_more(span, inside.parent, inside.attributes)
                pipeline.put(told, context.span_id)
                if recorder.outermost and context.span_id in recorder.outermost:
                    recorder.outermost.discard(context.span_id)
                    pipeline.flush(recorder.settings.exit_timeout_s)
            except Exception:
                _safely.report("span processor")
        elif pipeline is not None:
            pipeline.gone()

    def shutdown(self) -> None:
        """The application's provider ends; the pipeline goes on and is emptied at process exit."""
        pipeline = self._recorder.pipeline
        if pipeline is not None:
            pipeline.wake()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait until what ended is delivered."""
        pipeline = self._recorder.pipeline
        return pipeline is None or pipeline.flush(timeout_millis / 1000)


def sits_in(provider: Any) -> bool:
    """Whether a processor of ours is in a tracer provider already, put there by its name."""
    processors = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    return any(isinstance(processor, OutlayProcessor) for processor in processors)
