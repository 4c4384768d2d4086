"""uvicorn's HTTP protocol with deadlines: a client that dribbles its headers or body does not keep a connection.

uvicorn itself only bounds how long a connection may idle after an answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_S = 10.0
BODY_S = 60.0
HEADER_BYTES = 64 << 10


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are too large, or whose headers or body take too long to arrive."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._within(HEADER_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._within(HEADER_S)

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._within(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._within(None)
        super().on_message_complete()

    def _count(self, size: int) -> None:
        """The parser turns an exception here into a 400 answer and closes the connection."""
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES:
            raise ValueError("headers are too large")

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
