"""OTLP over gRPC: `OTEL_EXPORTER_OTLP_PROTOCOL=grpc`, with `pip install 'outlay[otlp]'`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from outlay import _safely
from outlay.export.sender import Answer, Sender, rejected_in
from outlay.settings import Settings

if TYPE_CHECKING:
    import grpc

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
# As the OTLP specification has it: these may be tried again, others are refused for good.
_RETRYABLE = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)
_UNAUTHORIZED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 5000),)


class GrpcSender(Sender):
    """Sends what is encoded as it is; answers are told as HTTP would.

    Raises:
        ImportError: Where grpcio is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        import grpc

        super().__init__(settings)
        self._grpc: Any = grpc
        self._channels: dict[str, grpc.Channel] = {}

    def prepare(self) -> None:
        """It is imported."""

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        """Make one call and wait for the answer."""
        url = self._settings.logs_url if signal == "logs" else self._settings.traces_url
        try:
            export = self._channel(url).unary_unary(_METHODS[signal])
            answer = export(body, timeout=timeout_s, metadata=tuple((self._settings.headers or {}).items()))
        except self._grpc.RpcError as error:
            code = error.code().name
            return Answer(503 if code in _RETRYABLE else 401 if code in _UNAUTHORIZED else 400)
        except OSError as error:
            _safely.warn("certificate", "%s", error)
            return Answer(0)
        return Answer(200, 0.0, *rejected_in(signal, answer)) if answer else Answer(200)

    def _channel(self, url: str) -> grpc.Channel:
        settings, grpc = self._settings, self._grpc
        where = urlsplit(url if "//" in url else f"//{url}")
        is_plain = settings.insecure if where.scheme not in ("http", "https") else where.scheme == "http"
        target = where.netloc or url
        if target not in self._channels:
            packing = grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression
            if is_plain:
                self._channels[target] = grpc.insecure_channel(target, _OPTIONS, packing)
            else:
                files = (settings.certificate, settings.client_key, settings.client_certificate)
                trusted, key, chain = (Path(name).read_bytes() if name else None for name in files)
                safe = grpc.ssl_channel_credentials(trusted, key, chain)
                self._channels[target] = grpc.secure_channel(target, safe, _OPTIONS, packing)
        return self._channels[target]

    def close(self) -> None:
        """Forget the channels; a forked child must not use its parent's."""
        self._channels = {}

    def end(self) -> None:
        """Close the channels: the interpreter must not wait for their threads."""
        for channel in self._channels.values():
            channel.close()
        self._channels = {}
