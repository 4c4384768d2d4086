"""A real HTTP server on loopback that remembers what is posted to it, for tests of alerts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """Requests in order of arrival, and what the server answers."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    location: str = ""
    answer: bytes = b""
    release: threading.Event | None = None
    refuses: Callable[[bytes], bool] = lambda body: False  # answers 500 to these

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def json(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]


@contextmanager
def receiver() -> Iterator[Received]:
    """Serve on a free port of 127.0.0.1 for the time of the block."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if received.release is not None:
                received.release.wait(60)
            received.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            received.headers.append(dict(self.headers.items()))
            received.paths.append(self.path)
            self.send_response(500 if received.refuses(received.bodies[-1]) else received.status)
            if received.location:
                self.send_header("Location", received.location)
            self.send_header("Content-Length", str(len(received.answer)))
            self.end_headers()
            self.wfile.write(received.answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        if received.release is not None:
            received.release.set()
        server.shutdown()
        server.server_close()
        thread.join(60)
