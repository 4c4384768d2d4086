"""The span processor: stamps what the work is for, and queues what ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from outlay import _safely, semconv
from outlay.export.slim import inside_of
from outlay.tracing import beside
from outlay.tracing.context import current_scope, span_around

if TYPE_CHECKING:
    from outlay.export.queue import Pipeline
    from outlay.settings import Settings


class Recorder(Protocol):
    """What processors are part of: it may be switched off, or get another pipeline, while they sit in a provider.

    Attributes:
        parents: Ids of open spans of the application → the span of ours that they started in.
        outermost: Ids of open spans that wait at their end until everything is sent.
        queued: Ended spans that a processor has queued, where an exporter of ours gets spans, too.
    """

    enabled: bool
    pipeline: Pipeline | None
    settings: Settings
    parents: dict[int, SpanContext]
    outermost: set[int]
    queued: WeakSet[ReadableSpan] | None


class OutlayProcessor(SpanProcessor):
    """Sits in the application's tracer provider and in our own.

    The application's spans keep the parents that they have there. What is sent to Outlay hangs below the spans of ours
    that they started in.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Give spans of other instrumentations the tags of the code they run in."""
        try:
            pipeline = self._recorder.pipeline
            if pipeline is not None:
                pipeline.begun()
            scope = span._instrumentation_scope
            if scope is not None and scope.name == semconv.SCOPE:
                return  # ours were born with them
            beside.started(span)
            wanted = current_scope(parent_context).attributes
            if wanted:
                have = span.attributes or {}
                span.set_attributes({key: value for key, value in wanted.items() if key not in have})
            around = span_around(parent_context if parent_context is not None else get_current())
            if around is not None and span.parent is not None and span.context is not None:
                self._recorder.parents[span.context.span_id] = around.get_span_context()
        except Exception:
            _safely.report("span processor")

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span; never blocks."""
        recorder, context = self._recorder, span.context
        if context is None:
            return
        parent = recorder.parents.pop(context.span_id, None) if recorder.parents else None
        pipeline = recorder.pipeline
        if recorder.enabled and pipeline is not None and context.trace_flags & TraceFlags.SAMPLED:
            try:
                if recorder.queued is not None:
                    recorder.queued.add(span)
                pipeline.put(span if parent is None else inside_of(parent, span), context.span_id)
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
