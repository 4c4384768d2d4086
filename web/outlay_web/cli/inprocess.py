"""One request to an ASGI application in this process: no socket, no server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from outlay_web.http.security import LOCAL

Answered = tuple[int, bytes, Mapping[str, str]]  # status, body, headers


def request(
    app: ASGIApp,
    method: str,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    sink: Callable[[bytes], object] | None = None,
) -> Answered:
    """Status, body and headers of the answer. The application trusts it: whoever can open the data needs no key.

    Args:
        sink: Takes the body of a good answer part by part; it is then empty here.
    """
    path, _, query = target.partition("?")
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode()), *pairs],
        "server": ("localhost", 0),
        "client": ("localhost", 0),
        "state": {},
        LOCAL: True,
    }
    return asyncio.run(_exchange(app, scope, body, sink))


async def _exchange(
    app: ASGIApp, scope: dict[str, object], body: bytes, sink: Callable[[bytes], object] | None
) -> Answered:
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])
    status, parts = 500, []
    said: dict[str, str] = {}

    async def receive() -> Message:
        message = next(sent, None)
        if message is None:  # the command waits for its answer: it never disconnects
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        return message

    async def send(message: Message) -> None:
        nonlocal status, said
        if message["type"] == "http.response.start":
            status = message["status"]
            said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
        elif sink is not None and status < 400:
            sink(message.get("body", b""))
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts), said
