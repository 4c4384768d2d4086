"""Sender: puts encoded requests on the wire, unseen by the application's own instrumentations.

This one speaks OTLP over HTTP; `grpc_sender` speaks gRPC, `exporter_sender` hands spans to an exporter of the
application. Certificates, compression and headers are those of the OTLP exporter specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from opentelemetry import context as otel_context

from outlay import _http, _safely
from outlay._http import Http
from outlay.errors import NoAnswer
from outlay.settings import Settings


@contextmanager
def unseen() -> Iterator[None]:
    """Instrumentations of HTTP in the application make no span of what we send, or each export would cause another."""
    token = otel_context.attach(otel_context.set_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        otel_context.detach(token)


class Answer(NamedTuple):
    """What came back for one request.

    Attributes:
        status: Of HTTP; 0 where nobody answered.
        wait_s: How long to wait before it is tried again, where the server says so.
        rejected: How many spans or scores of a request that was taken were not (`partial_success` in OTLP).
        reason: Why they were not, or why nobody answered.
    """

    status: int
    wait_s: float = 0.0
    rejected: int = 0
    reason: str = ""


class Sender:
    """Puts encoded requests on the wire. Tests and other transports replace it."""

    target = ""
    """What tells one place that spans go to from another, beyond the server's URL and the key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = Http(settings)

    def prepare(self) -> None:
        """Import what sending needs; a child that is forked in the middle of an import would wait for it for ever."""
        import gzip  # noqa: F401

        _http.prepare()

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        """POST one request and wait for the answer."""
        import gzip

        settings = self._settings
        headers = {"content-type": "application/x-protobuf", **(settings.headers or {})}
        if settings.compression == "gzip":
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, 1)
        try:
            url = settings.logs_url if signal == "logs" else settings.traces_url
            reply = self._http.request("POST", url, headers, body, timeout_s=timeout_s)
        except NoAnswer as error:
            if error.is_trust:
                _safely.warn("certificate", "%s", error)
            return Answer(0, reason=str(error))
        try:
            wait_s = float(reply.headers.get("retry-after") or 0)
        except ValueError:
            wait_s = 0.0
        if reply.status == 200 and reply.body:
            return Answer(200, wait_s, *rejected_in(signal, reply.body))
        return Answer(reply.status, wait_s)

    def close(self) -> None:
        """Forget the connections; a forked child must not use its parent's."""
        self._http = Http(self._settings)

    def end(self) -> None:
        """The process ends, and everything is sent."""


def rejected_in(signal: str, answer: bytes) -> tuple[int, str]:
    """How many spans or scores an OTLP response says were not taken, and why; none where it cannot be read."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        if signal == "logs":
            scores = ExportLogsServiceResponse.FromString(answer).partial_success
            return max(scores.rejected_log_records, 0), scores.error_message
        spans = ExportTraceServiceResponse.FromString(answer).partial_success
        return max(spans.rejected_spans, 0), spans.error_message
    except DecodeError:
        return 0, ""
