"""OTLP over gRPC: TraceService/Export and LogsService/Export, the same intake as HTTP.

The messages are taken as bytes, so that nothing is parsed twice. Errors as the specification says: bad data is
INVALID_ARGUMENT, a full spool UNAVAILABLE with a RetryInfo, a missing key UNAUTHENTICATED.

Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from outlay.errors import DecodeError
from outlay_collector.otlp.decompress import MAX_BODY_BYTES, TooLarge
from outlay_collector.otlp.schema import text_field, varint
from outlay_collector.receive.http import NO_METRICS, Unauthorized
from outlay_collector.receive.intake import Intake
from outlay_collector.receive.responses import PROTOBUF, success
from outlay_collector.spool.spool import Spool, SpoolFull

logger = logging.getLogger(__name__)

SERVICES = {
    f"opentelemetry.proto.collector.{kind}.v1.{service}": kind
    for kind, service in (("trace", "TraceService"), ("logs", "LogsService"), ("metrics", "MetricsService"))
}
KINDS = {"trace": "traces", "logs": "logs", "metrics": "metrics"}


class GrpcServer:
    """A running gRPC server; `port` is the one it listens on."""

    def __init__(self, server: grpc.aio.Server, port: int) -> None:
        self._server = server
        self.port = port

    async def stop(self, grace_s: float = 2.0) -> None:
        """Finish the calls that are under way, then stop. Safe to call twice."""
        await self._server.stop(grace_s)


async def start_grpc(
    spool: Spool,
    authenticate: Callable[[str | None], str],
    host: str = "127.0.0.1",
    port: int = 4317,
    *,
    intake: Intake | None = None,
) -> GrpcServer:
    """Listen on `host:port` (0 picks a port) and store what comes.

    Raises:
        OSError: If the address cannot be bound.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", MAX_BODY_BYTES),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", 64),
        ],
        maximum_concurrent_rpcs=256,
    )
    server.add_generic_rpc_handlers((_Services(intake or Intake(spool), authenticate),))
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as exc:
        raise OSError(f"cannot listen for gRPC on {address}: {exc}") from exc
    await server.start()
    return GrpcServer(server, bound)


class _Services(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, intake: Intake, authenticate: Callable[[str | None], str]) -> None:
        self.intake = intake
        self.authenticate = authenticate

    def service(self, call: Any) -> Any:
        service, _, method = call.method.strip("/").partition("/")
        if method != "Export" or service not in SERVICES:
            return None
        kind = KINDS[SERVICES[service]]
        given = dict(call.invocation_metadata or ()).get("authorization")
        try:
            project = self.authenticate(given)
        except Unauthorized as exc:
            return _refusal(exc)

        async def export(body: bytes, context: Any) -> bytes:
            return await self._export(kind, project, body, context)

        return grpc.unary_unary_rpc_method_handler(export)

    async def _export(self, kind: str, project: str, body: bytes, context: Any) -> bytes:
        try:
            if kind == "metrics":
                return success(PROTOBUF, kind, 0, NO_METRICS)
            self.intake.hold(len(body))
            try:
                accepted = await self.intake.accept(body, encoding="protobuf", project=project, kind=kind)
            finally:
                self.intake.release(len(body))
            return success(PROTOBUF, kind, accepted.rejected, accepted.message)
        except (TooLarge, DecodeError) as exc:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
        except SpoolFull as exc:
            context.set_trailing_metadata((("grpc-status-details-bin", _retry_info(str(exc), exc.retry_after_s)),))
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(exc))
        raise AssertionError("abort raises")


def _refusal(exc: Unauthorized) -> Any:
    """A handler that says no. It takes the request as a stream, so that nothing of its body is read."""
    code = grpc.StatusCode.PERMISSION_DENIED if exc.forbidden else grpc.StatusCode.UNAUTHENTICATED

    async def refuse(bodies: Any, context: Any) -> bytes:
        await context.abort(code, str(exc))
        raise AssertionError("abort raises")

    return grpc.stream_unary_rpc_method_handler(refuse)


def _retry_info(message: str, seconds: int) -> bytes:
    """A google.rpc.Status with code UNAVAILABLE and one google.rpc.RetryInfo."""
    delay = b"\x08" + varint(seconds)
    info = b"\x0a" + varint(len(delay)) + delay
    packed = text_field(1, "type.googleapis.com/google.rpc.RetryInfo") + b"\x12" + varint(len(info)) + info
    return b"\x08\x0e" + text_field(2, message) + b"\x1a" + varint(len(packed)) + packed
