"""Which sender the settings ask for."""

from __future__ import annotations

from typing import Any

from outlay import _safely
from outlay.export.grpc_sender import GrpcSender
from outlay.export.sender import Sender
from outlay.settings import Settings


def sender_for(settings: Settings, exporter: Any = None) -> Sender:
    """What sends as the settings say, or through an exporter of the application."""
    if exporter is not None:
        from outlay.export.exporter_sender import ExporterSender  # with OpenTelemetry's SDK

        if callable(getattr(exporter, "export", None)):
            return ExporterSender(settings, exporter)
        _safely.warn("exporter", "exporter=%r is no SpanExporter: it has no export(); spans go to the server", exporter)
    if settings.protocol == "grpc":
        try:
            return GrpcSender(settings)
        except ImportError:
            _safely.warn("protocol", "protocol=grpc needs: pip install 'outlay[otlp]'; nothing can be sent until then")
    return Sender(settings)
