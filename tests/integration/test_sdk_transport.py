"""Certificates of one's own, and gRPC in children that were forked: real connections on loopback."""

from __future__ import annotations

import gzip
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.certificates import certificate

PROGRAM = """
import os, sys, outlay
outlay.init("app")

def ask(feature):
    with outlay.track(feature=feature):
        outlay.record(usage={"input_tokens": 1, "output_tokens": 1}, model="gpt-4o", provider="openai")

ask("before")
assert outlay.flush(1 if "refused" in sys.argv else 60) or "refused" in sys.argv
children = []
for number in range(2 * ("forks" in sys.argv)):
    child = os.fork()
    if child == 0:
        ask("child")
        sys.exit(0)  # as a worker leaves
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
ask("after")
"""


@dataclass
class Taken:
    """What a server has taken."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        spans = [s for r in requests for g in r.resource_spans for scope in g.scope_spans for s in scope.spans]
        found = [{a.key: a.value.string_value for a in span.attributes} for span in spans]
        return sorted(one["outlay.feature"] for one in found if "gen_ai.request.model" in one)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and certificates of a server and of a client that it has signed."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificate(folder, "authority")
    for name in ("server", "client"):
        certificate(folder, name, authority)
    return folder


@pytest.fixture(params=["http/protobuf", "grpc"])
def server(request: pytest.FixtureRequest, certificates: Path) -> Iterator[tuple[str, Taken]]:
    """A server that asks for a client's certificate, and its protocol."""
    taken = Taken()
    if request.param == "grpc":
        files = [(certificates / name).read_bytes() for name in ("server.key", "server.pem", "authority.pem")]
        safe = grpc.ssl_server_credentials([(files[0], files[1])], files[2], require_client_auth=True)
        yield from _grpc(taken, safe)
        return

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.bodies.append(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that trusts nobody here leaves."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    http = Quiet(("127.0.0.1", 0), Handler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    taken.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield "http/protobuf", taken
    http.shutdown()
    http.server_close()
    thread.join(60)


def _grpc(taken: Taken, safe: Any = None) -> Iterator[tuple[str, Taken]]:
    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
        def service(self, handler_call_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(self.take)

        def take(self, body: bytes, context: Any) -> bytes:
            taken.bodies.append(body)
            return b""

    made = grpc.server(ThreadPoolExecutor(2), (Handler(),))
    where = "127.0.0.1:0"
    taken.port = made.add_insecure_port(where) if safe is None else made.add_secure_port(where, safe)
    made.start()
    yield "grpc", taken
    made.stop(0).wait()


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    state = {"XDG_STATE_HOME": str(folder), "OUTLAY_EXIT_TIMEOUT_S": "2" if "refused" in words else "60"}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *words]
    more = {"PYTHONPATH": path, **state, **environ}
    return subprocess.run(command, env={**kept, **more}, capture_output=True, text=True, timeout=300)


def test_a_server_with_a_certificate_of_ones_own_gets_the_calls_of_who_trusts_it(
    tmp_path: Path, certificates: Path, server: tuple[str, Taken]
) -> None:
    protocol, taken = server
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://127.0.0.1:{taken.port}",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificates / "client.pem"),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(certificates / "client.key"),
    }
    untrusted = run(tmp_path, "refused", **environ, OUTLAY_SPOOL_DIR="off", OUTLAY_EXPORT_TIMEOUT_S="2")
    assert (untrusted.returncode, taken.features) == (0, [])  # nothing is lost in silence, and nothing raised
    assert "did not take them" in untrusted.stderr
    trusted = run(tmp_path, **environ, OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificates / "authority.pem"))
    assert trusted.returncode == 0, trusted.stderr
    assert taken.features == ["after", "before"]


def test_children_that_are_forked_after_grpc_was_used_send_their_own_calls(tmp_path: Path) -> None:
    for protocol, taken in _grpc(Taken()):
        done = run(tmp_path, "forks", OUTLAY_PROTOCOL=protocol, OUTLAY_ENDPOINT=f"http://127.0.0.1:{taken.port}")
        assert done.returncode == 0, done.stderr
        assert taken.features == ["after", "before", "child", "child"]
