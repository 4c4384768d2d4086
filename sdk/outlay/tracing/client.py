"""Client: what `init()` set up, the one connection between the application and Outlay.

Outlay is a guest. It adds a span processor to the application's tracer provider where there is one, also when that
one appears later, and so sees the application's spans. Its own spans come from a provider of its own, which the
application's exporters and samplers know nothing of; they continue the application's traces. `share_spans` makes them
with the application's provider instead, for its exporters, too; those that its sampler refuses stay ours alone.

While the application has no provider, ours is lent to OpenTelemetry without claiming the place: the application's
`set_tracer_provider()` still succeeds and wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation import _SPAN_KEY

from outlay import _safely, semconv
from outlay.settings import Settings
from outlay.tracing.context import current_scope, span_around
from outlay.tracing.lent import is_lent, lend

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from outlay.export.queue import Pipeline
    from outlay.export.sender import Sender
    from outlay.tracing.own_spans import OwnTracer
    from outlay.tracing.processor import Inside


Redact = Callable[[str], str]


class Client:
    """Everything that `init()` set up. One per process; `configure` may replace its parts.

    Attributes:
        resource: What our spans say about this service.
    """

    resource: Resource

    def __init__(self) -> None:
        self.enabled = False
        self.explicit = False
        self.settings = Settings.from_env({}, disabled=True)
        self.redact: Redact | None = None
        self.now_ns: Callable[[], int] = time.time_ns
        self.clock: Callable[[], int] | None = None  # set by tests: spans start and end by it, too
        self.pipeline: Pipeline | None = None
        self.sender: Sender | None = None
        self.own_provider: TracerProvider | None = None
        self._own_tracer: OwnTracer | None = None
        self._shared_tracer: trace.Tracer | None = None  # the application's, where it is to have our spans
        self._seen: Any = None
        self._ids: IdGenerator | None = None
        self._alone = False  # ids of our own: the application's provider would make others
        self._attached: list[Any] = []
        self._counted = False
        self.exiting = False
        self.inside: dict[int, Inside] = {}  # open spans of the application
        self.queued: WeakSet[ReadableSpan] | None = None
        self.outermost: set[int] = set()  # ids of open spans that wait at their end until everything is sent

    def configure(
        self,
        settings: Settings,
        *,
        redact: Redact | None = None,
        sender: Sender | None = None,
        ids: IdGenerator | None = None,
        provider: Any = None,
        exporter: Any = None,
    ) -> None:
        """Take these settings from now on; what is queued goes out with them."""
        self.redact = redact
        self.settings = settings
        if settings.disabled:
            self.enabled = False
            return
        from opentelemetry.sdk.resources import Resource

        from outlay.export import greeting
        from outlay.export.choose import sender_for
        from outlay.export.encode import Encoder
        from outlay.export.queue import Pipeline
        from outlay.export.spool import Spool

        encoder = Encoder(settings)
        spool = None
        if sender is None:
            sender = sender_for(settings, exporter)
            spool = Spool.of(settings, sender.target)
            if exporter is None and greeting.is_wanted(settings):
                sender = greeting.Greeting(settings, sender)
        self.sender = sender
        pipeline = Pipeline(
            settings,
            sender,
            encoder.spans,
            encoder.scores,
            exiting=self.exiting,
            spool=spool,
        )
        if self.pipeline is not None:
            self.pipeline.hand_over(pipeline)
        lent = is_lent(self.own_provider)
        self._ids = ids
        own = self._use_own(Resource.create(self._named()))
        self.pipeline = pipeline
        self._count_drops()
        self.own_provider = own
        self._shared_tracer = None
        self._seen = None
        self._alone = ids is not None and provider is None
        if provider is not None and not hasattr(provider, "add_span_processor"):
            _safely.warn("init", "tracer_provider=%r takes no span processor; the default is used", provider)
            provider = None
        if redact is not None and not callable(redact):
            _safely.warn("redact", "redact=%r is no function; no texts are kept", redact)
        if provider is not None:
            self._adopt(provider)
        elif settings.set_global and (lent or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)):
            lend(own)
        self.enabled = True

    def _named(self) -> dict[str, Any]:
        """What the settings say about this service."""
        attributes = {
            semconv.SERVICE_NAME: self.settings.service,
            semconv.SERVICE_VERSION: self.settings.service_version,
            semconv.ENVIRONMENT: self.settings.environment,
        }
        return {key: value for key, value in attributes.items() if value}

    def _use_own(self, resource: Resource, ids: IdGenerator | None = None) -> TracerProvider:
        """Make our spans with a new provider of our own that says this about the service."""
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        from outlay.tracing.own_spans import OwnTracer
        from outlay.tracing.processor import OutlayProcessor

        own = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, id_generator=self._ids or ids
        )
        processor = OutlayProcessor(self)
        own.add_span_processor(processor)
        self.resource = own.resource
        self._own_tracer = OwnTracer(processor, own.resource, self._ids or ids, _version())
        return own

    def _count_drops(self) -> None:
        """Show what was dropped in the application's own metrics, if it has any."""
        from opentelemetry import metrics

        if self._counted:
            return
        self._counted = True
        metrics.get_meter(semconv.SCOPE).create_observable_counter(
            "outlay.sdk.spans.dropped",
            [lambda options: [metrics.Observation(self.pipeline.dropped if self.pipeline is not None else 0)]],
            unit="{span}",
            description="Spans that did not fit the queue or that the server refused.",
        )

    def _follow(self) -> None:
        """See whether the application has a tracer provider now."""
        provider = trace.get_tracer_provider()
        if provider is not self._seen and not self._alone:
            self._seen = provider
            if hasattr(provider, "add_span_processor"):
                self._adopt(provider)
            elif isinstance(provider, trace.ProxyTracerProvider):
                self._shared_tracer = None

    def _adopt(self, provider: Any) -> None:
        from outlay.tracing.processor import OutlayProcessor, sits_in

        if not any(known is provider for known in self._attached):
            if not sits_in(provider):
                provider.add_span_processor(OutlayProcessor(self))
            self._attached.append(provider)
        theirs = getattr(provider, "resource", None)
        if theirs is not None:
            from opentelemetry.sdk.resources import Resource

            self._use_own(theirs.merge(Resource(self._named())), getattr(provider, "id_generator", None))
        self._seen = trace.get_tracer_provider()
        share = self.settings.share_spans
        self._shared_tracer = provider.get_tracer(semconv.SCOPE, _version()) if share else None

    def is_apart(self, span: Span) -> bool:
        """Whether the application has exporters that do not get this span of ours."""
        return bool(self._attached) and getattr(span, "resource", None) is self.resource

    def start_span(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Any],
        context: Context | None = None,
        start_ns: int | None = None,
    ) -> Span:
        """Start a span that records whatever the application's sampler says: costs are never sampled."""
        if start_ns is None and self.clock is not None:
            start_ns = self.clock()
        self._follow()
        if context is None:
            context = get_current()
        span: Span | None = None
        if self._shared_tracer is not None:
            span = self._shared_tracer.start_span(name, context, kind, attributes, start_time=start_ns)
            if not (span.is_recording() and span.get_span_context().trace_flags.sampled):
                span = None
        if span is None:
            assert self._own_tracer is not None  # enabled
            around = span_around(context) if self._attached else None
            inside = context if around is None else Context({**context, _SPAN_KEY: around})
            span = self._own_tracer.start_span(name, inside, kind, attributes, start_ns)
        if self.settings.flush_at_end and current_scope(context).frame is None:
            self.outermost.add(span.get_span_context().span_id)
        return span

    def watch_queued(self) -> None:
        """Remember which spans processors queue, for an exporter that gets them, too."""
        if self.queued is None:
            self.queued = WeakSet()

    def end(self) -> None:
        """The process ends, and everything is sent."""
        if self.sender is not None:
            self.sender.end()

    def keeps_content(self, trace_id: int) -> bool:
        """Whether prompts and completions of this trace may be kept."""
        settings = self.settings
        if not settings.capture_content:
            return False
        return settings.content_ratio >= 1 or (trace_id & 0xFFFFFFFF) < settings.content_ratio * 2**32


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("outlay")
    except PackageNotFoundError:
        return ""
