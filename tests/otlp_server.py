"""An OTLP server that a test tells what to answer, and programs that send to it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Server(ThreadingHTTPServer):
    """Takes OTLP; answers with the queued statuses, then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[tuple[int, dict[str, str]]] = []
        self.delay_s = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Any]:
        found = []
        for path, headers, body in self.bodies:
            if path == "/v1/traces":
                assert headers["content-type"] == "application/x-protobuf"
                for group in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans:
                    found += [span for scope in group.scope_spans for span in scope.spans]
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are expected."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        time.sleep(self.server.delay_s)
        status, headers = self.server.statuses.pop(0) if self.server.statuses else (200, {})
        if status == 200:
            self.server.bodies.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(status)
        for name, value in {"content-length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def serve() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A program of its own; its exit has time on a busy machine."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": path, "OUTLAY_EXIT_TIMEOUT_S": "60", **environ},
    )


CALL = 'outlay.record(usage={"input_tokens": 1, "output_tokens": 1}, model="gpt-4o", provider="openai")'
