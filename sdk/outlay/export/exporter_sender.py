"""An exporter of the application in place of our own sending: `init(exporter=…)` with any standard SpanExporter.

Queue, spool, retries and exit stay Outlay's. The exporter gets spans as they would have been sent: with their cost, and
with what `init()` says about the service.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from outlay import _safely
from outlay.export.decode import spans_of
from outlay.export.sender import Answer, Sender
from outlay.settings import Settings

TRIES = 10
"""How often a batch is handed over. An exporter says only that it failed, not whether trying again can help."""


class ExporterSender(Sender):
    """Hands spans to an exporter. It takes no scores: those are dropped, counted and told."""

    def __init__(self, settings: Settings, exporter: SpanExporter) -> None:
        super().__init__(settings)
        self._exporter = exporter
        self._failed: tuple[bytes, int] = (b"", 0)
        kind = type(exporter)
        self.target = f"{kind.__module__}.{kind.__qualname__} {getattr(exporter, '_endpoint', '')}"

    def prepare(self) -> None:
        """It is made."""

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        """Export the spans of one request; a failure counts as a server that is away, the tenth of one as a refusal."""
        if signal != "traces":
            _safely.warn("scores", "scores are not sent: a span exporter takes none")
            return Answer(400)
        try:
            result: Any = self._exporter.export(spans_of(body))
        except Exception:
            _safely.report(f"exporter {self.target}")
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._failed = b"", 0
            return Answer(200)
        last, failures = self._failed
        failures = failures + 1 if last == body else 1
        self._failed = body, failures
        return Answer(400 if failures >= TRIES else 503)

    def close(self) -> None:
        """Its connections are the exporter's own."""

    def end(self) -> None:
        """Let the exporter end, too."""
        try:
            self._exporter.shutdown()
        except Exception:
            _safely.report(f"exporter {self.target}")
