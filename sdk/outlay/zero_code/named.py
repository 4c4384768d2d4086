"""Outlay's exporter and span processor by their names, for tracer providers that a configuration builds.

`OTEL_TRACES_EXPORTER=outlay` (also beside others: `otlp,outlay`) finds the exporter, a configuration file's plugin
`outlay` the processor. Both put spans into Outlay's own queue. Where the processor sits in a provider, which Outlay
also sees to by itself, spans reach the queue through it and the exporter has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from outlay.tracing.lifecycle import flush, get_client
from outlay.tracing.processor import OutlayProcessor


class OutlaySpanProcessor(OutlayProcessor):
    """Tags spans with what the work is for, and queues them when they end; set up by the environment or `init()`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(get_client())


class OutlaySpanExporter(SpanExporter):
    """Queues spans that ended in any provider; set up by the environment or `init()`."""

    def __init__(self, **given: Any) -> None:
        self._client = get_client()
        self._client.watch_queued()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Queue what a processor of ours has not queued; never blocks."""
        client = self._client
        pipeline, queued = client.pipeline, client.queued
        if not client.enabled or pipeline is None:
            return SpanExportResult.FAILURE
        for span in spans:
            if span.context is not None and (queued is None or span not in queued):
                pipeline.put(span, span.context.span_id)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """The provider ends; the queue is emptied at process exit."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait until what was exported is delivered."""
        return flush(timeout_millis / 1000)
