"""A real server in this process: real sockets, real store, every part that `outlay serve` has but the signals."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import uvicorn

from outlay_collector.store import open_store
from outlay_collector.store.clock import utc_now
from outlay_web.config import Config, Settings
from outlay_web.http.protocol import BoundedProtocol
from outlay_web.server.application import Application
from outlay_web.server.serve import Server, listen
from tests.conftest import ENGINE_PATH, empty_tables
from tests.waiting import until

_own_stores: set[str] = set()  # DSNs that somebody was given
_free_stores: list[str] = []  # of databases with every table, and nothing in them


@dataclass
class Answer:
    """Status, headers in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an error in the API's one shape."""
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"code", "message"}
        return self.status, self.json["error"]["code"], self.json["error"]["message"]


class Running:
    """A server that listens, and a client for it."""

    def __init__(self, assembly: Application, port: int, credential: Mapping[str, str] | None = None) -> None:
        self.assembly = assembly
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.credential = dict(credential or {})

    def project(self, name: str) -> Running:
        """The same server, asked with an administrator's key made for a project of its own."""
        keys = self.assembly.context.authenticator.keys
        with self.assembly.context.writing() as writer:
            key, _ = keys.create(writer, name, "admin")
        return Running(self.assembly, self.port, {"authorization": f"Bearer {key}"})

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body, {**self.credential, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, *pairs: tuple[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        query = "?" + urlencode(pairs) if pairs else ""
        return self.request("GET", quote(path, safe="/%?=&-._~:") + query, None, headers)

    def api(self, path: str, *pairs: tuple[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return self.get("/api/v1" + path, *pairs, headers=headers)

    def post(self, path: str, value: Any, headers: Mapping[str, str] | None = None, method: str = "POST") -> Answer:
        given = {"content-type": "application/json", **(headers or {})}
        return self.request(method, path, json.dumps(value).encode(), given)

    def send_spans(self, spans: list[dict[str, Any]], headers: Mapping[str, str] | None = None) -> Answer:
        scope = {"scope": {"name": "test"}, "spans": spans}
        service = {"key": "service.name", "value": {"stringValue": "shop"}}
        value = {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [scope]}]}
        return self.post("/v1/traces", value, headers)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        until(done, what, pause_s=0.02)

    def wait_for_calls(self, count: int, *pairs: tuple[str, str], headers: Mapping[str, str] | None = None) -> None:
        def there() -> bool:
            return len(self.api("/calls", ("limit", "1000"), *pairs, headers=headers).json["calls"]) == count

        self.wait(there, f"{count} calls")


@contextmanager
def running(
    settings: Settings, sections: Mapping[str, Any] | None = None, clock: Callable[[], datetime] = utc_now
) -> Iterator[Running]:
    """Serve on a free port until the block ends; TMPDIR, which a server moves into its data, is put back."""
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    assembly = Application(Config(settings, sections or {}), command="serve", clock=clock)
    try:
        assembly.start()
        listener = listen("127.0.0.1", 0)
        server = Server(
            uvicorn.Config(
                assembly.asgi(),
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
            )
        )
        thread = threading.Thread(target=_serve, args=(server, listener), daemon=True)
        thread.start()
        until(lambda: server.started, "started")
        found = Running(assembly, listener.getsockname()[1])
        assembly.announce(found.url)
        try:
            yield found
        finally:
            server.should_exit = True
            thread.join(60)
    finally:
        assembly.close(60)
        if settings.dsn in _own_stores:
            _take_back(settings.dsn)
        tempfile.tempdir = before[1]
        os.environ.pop("TMPDIR", None)
        os.environ.update({"TMPDIR": before[0]} if before[0] else {})


def own_store() -> str:
    """DSN of an empty database on the tests' engine, until the one server that is given it ends.

    Another server may have had it before: making every table takes a second.
    """
    dsn = _free_stores.pop() if _free_stores else f"chdb://{ENGINE_PATH}?database=web_{uuid.uuid4().hex[:12]}"
    _own_stores.add(dsn)
    return dsn


def _take_back(dsn: str) -> None:
    """Empty the database for the next server; one with damaged parts is dropped."""
    _own_stores.discard(dsn)
    store = open_store(dsn)
    writer = store.writer()
    if writer.query("SELECT 1 FROM system.detached_parts WHERE database = currentDatabase() LIMIT 1"):
        writer.run(f"DROP DATABASE {store.dsn.database} SYNC")
    else:
        empty_tables(writer)
        _free_stores.append(dsn)
    store.close()


def _serve(server: Server, listener: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[listener]))


def llm_span(trace: int, span: int, *, parent: int = 0, ago_s: float = 60.0, **attributes: Any) -> dict[str, Any]:
    """A span of one call to gpt-4o-mini with 1,000 input and 100 output tokens, as OTLP/JSON."""
    start = time.time_ns() - int(ago_s * 1e9)
    given = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        **{name.replace("__", "."): value for name, value in attributes.items()},
    }
    found = {
        "traceId": f"{trace:032x}",
        "spanId": f"{span:016x}",
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 500_000_000),
        "attributes": [{"key": key, "value": _value(value)} for key, value in given.items()],
        "status": {},
    }
    return found | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
