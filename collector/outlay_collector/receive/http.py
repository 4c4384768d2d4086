"""OTLP over HTTP: `POST /v1/traces`, `/v1/logs`, `/v1/metrics`, as the OTLP specification says.

A plain ASGI application, so that a body costs no more than it must. 200 means durable. Every answer comes back in the
content type of the request; every error is a `Status`.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from outlay.errors import DecodeError, OutlayError
from outlay_collector.otlp.decompress import MAX_BODY_BYTES, TooLarge
from outlay_collector.receive.intake import Accepted, Intake
from outlay_collector.receive.responses import JSON, PROTOBUF, status, success
from outlay_collector.spool.spool import Spool, SpoolFull

logger = logging.getLogger(__name__)

PATHS = {prefix + f"/v1/{kind}": kind for prefix in ("", "/api/public/otel") for kind in ("traces", "logs", "metrics")}
TYPES = {PROTOBUF: "protobuf", JSON: "json"}
PACKINGS = {"": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
BODY_TIMEOUT_S = 30
NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()
NO_METRICS = "Outlay keeps traces and GenAI events; metrics are accepted and not kept"
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Unauthorized(OutlayError):
    """The request has no key, or one that is not known. `forbidden` when the key is known and may not send."""

    def __init__(self, message: str = "a valid ingest key is needed", *, forbidden: bool = False) -> None:
        super().__init__(message)
        self.forbidden = forbidden


class _Refused(Exception):
    """An answer other than 200."""

    def __init__(self, http_status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.headers = headers


class Receiver:
    """The ASGI application of the paths in `PATHS`."""

    def __init__(
        self,
        spool: Spool,
        authenticate: Callable[[str | None], str],
        *,
        intake: Intake | None = None,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        """Serve what `spool` stores.

        Args:
            authenticate: The `Authorization` header, or None, to the project; raises `Unauthorized`. Must not block.
            intake: Shared with gRPC, so that both together stay within bounds; made here if not given.
            body_timeout_s: How long a client may take to send its body.
        """
        self.intake = intake or Intake(spool)
        self.authenticate = authenticate
        self.body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        content_type = _content_type(headers.get(b"content-type", b""))
        try:
            kind = PATHS.get(scope["path"].rstrip("/") or "/")
            if kind is None:
                raise _Refused(404, f"no such path: send to {', '.join(p for p in PATHS if p.startswith('/v1'))}")
            if scope["method"] != "POST":
                raise _Refused(405, "only POST", ((b"allow", b"POST"),))
            accepted = await self._take(kind, headers, content_type, receive)
            body = success(content_type, kind, accepted.rejected, accepted.message)
            http_status, more = 200, NO_HEADERS
        except asyncio.CancelledError:
            raise
        except Exception as exc:
            refused = _refusal(exc)
            http_status, more = refused.http_status, refused.headers
            content_type = content_type if content_type in TYPES else JSON
            body = status(content_type, http_status, str(refused))
        answer = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *more]
        await send({"type": "http.response.start", "status": http_status, "headers": answer})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, kind: str, headers: dict[bytes, bytes], content_type: str, receive: Receive) -> Accepted:
        given = headers.get(b"authorization")
        project = self.authenticate(None if given is None else given.decode("latin-1"))
        if content_type not in TYPES:
            raise _Refused(415, f"content type {content_type[:80]!r} is not {PROTOBUF} or {JSON}")
        encoding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        if encoding not in PACKINGS:
            raise _Refused(415, f"content encoding {encoding[:80]!r} is not gzip, deflate or identity")
        held = _Held(self.intake)
        try:
            body = await self._body(headers, receive, held)
            if kind == "metrics":
                return Accepted(0, 0, note=NO_METRICS)
            return await self.intake.accept(
                body, encoding=TYPES[content_type], project=project, kind=kind, packing=PACKINGS[encoding]
            )
        finally:
            held.release()

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, held: _Held) -> bytes:
        """The whole body, bounded in size and in time."""
        length = headers.get(b"content-length", b"")
        if length and (not length.isdigit() or int(length) > MAX_BODY_BYTES):
            raise TooLarge(f"the body is over {MAX_BODY_BYTES >> 20} MiB")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Refused(400, "the client went away")
                    part = message.get("body", b"")
                    size += len(part)
                    if size > MAX_BODY_BYTES:
                        raise TooLarge(f"the body is over {MAX_BODY_BYTES >> 20} MiB")
                    held.add(len(part))
                    parts.append(part)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _Refused(408, f"the body did not arrive within {self.body_timeout_s:g} s") from None


class _Held:
    """The bytes of one request that count against the intake's bound."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.size = 0

    def add(self, size: int) -> None:
        self.intake.hold(size)
        self.size += size

    def release(self) -> None:
        self.intake.release(self.size)
        self.size = 0


def _refusal(exc: Exception) -> _Refused:
    if isinstance(exc, _Refused):
        return exc
    if isinstance(exc, TooLarge):
        return _Refused(413, str(exc))
    if isinstance(exc, DecodeError):
        return _Refused(400, str(exc))
    if isinstance(exc, Unauthorized):
        challenge = () if exc.forbidden else ((b"www-authenticate", b'Bearer realm="outlay"'),)
        return _Refused(403 if exc.forbidden else 401, str(exc), challenge)
    if isinstance(exc, SpoolFull):
        return _Refused(503, str(exc), ((b"retry-after", str(exc.retry_after_s).encode()),))
    logger.error("a request failed", exc_info=exc)
    return _Refused(500, "internal error")


def _content_type(header: bytes) -> str:
    """The media type without its parameters."""
    return header.decode("latin-1").split(";")[0].strip().lower()
