"""A collector for tests: spool, loader and intake over a test's store; and the same behind real HTTP."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from outlay_collector.handover import Handover
from outlay_collector.load import ledger as status
from outlay_collector.load.loader import Loader
from outlay_collector.receive.http import Receiver, Unauthorized
from outlay_collector.receive.intake import Accepted, Intake
from outlay_collector.spool.spool import Spool
from outlay_collector.store import Store
from tests.waiting import until

QUOTA_BYTES = 1 << 30
KEYS = {None: "default", "Bearer a-key": "a", "Bearer b-key": "b"}


def authenticate(header: str | None) -> str:
    """Three callers: no header is `default`, two keys are projects `a` and `b`, everything else is refused."""
    if header not in KEYS:
        raise Unauthorized
    return KEYS[header]


class Collector:
    """Spool and loader over one store; `send` and `load` drive them by hand."""

    def __init__(
        self, store: Store, path: Path, quota_bytes: int = QUOTA_BYTES, handover: Handover | None = None
    ) -> None:
        self.store = store
        self.spool = Spool(path, quota_bytes=quota_bytes)
        self.loader = Loader(store, self.spool, handover=handover)

    def send(self, body: bytes, project: str = "default", encoding: str = "protobuf", **kwargs: Any) -> Accepted:
        clock_ns = kwargs.pop("clock_ns", time.time_ns)

        async def once() -> Accepted:
            return await Intake(self.spool, clock_ns=clock_ns).accept(
                body, project=project, encoding=encoding, **kwargs
            )

        return asyncio.run(once())

    def load(self) -> None:
        while self.loader.run_once():
            pass

    def ledger(self) -> dict[str, int]:
        """The ledger, after checking that it adds up."""
        found = status.ledger(self.store, self.spool)
        parts = ("stored", "rejected", "quarantined", "duplicate", "pending")
        assert found["received"] == sum(found[name] for name in parts), found
        return found

    def spans(self) -> list[dict[str, Any]]:
        return self.store.query("SELECT * FROM spans FINAL ORDER BY started_at, trace_id, span_id")

    def close(self) -> None:
        self.loader.stop()
        self.spool.close()


@contextmanager
def collector(store: Store, path: Path, quota_bytes: int = QUOTA_BYTES) -> Iterator[Collector]:
    made = Collector(store, path, quota_bytes)
    try:
        yield made
    finally:
        made.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Http:
    """A client of one port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def post(
        self,
        body: bytes,
        content_type: str = "application/x-protobuf",
        path: str = "/v1/traces",
        method: str = "POST",
        **headers: str,
    ) -> Answer:
        given = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            try:
                connection.request(method, path, body, given)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server may answer before it has read everything
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=300)


@contextmanager
def listening(app: Any) -> Iterator[Http]:
    """`app` behind uvicorn in a thread."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield Http(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(60)


@contextmanager
def http_collector(store: Store, path: Path, **receiver: Any) -> Iterator[tuple[Http, Collector]]:
    """A collector behind HTTP; its loader is driven by hand."""
    with (
        collector(store, path) as made,
        listening(Receiver(made.spool, authenticate, **receiver)) as http_client,
    ):
        yield http_client, made
