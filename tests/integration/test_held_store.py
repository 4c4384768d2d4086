"""A store that hangs for as long as the test likes: health, ingest and pages answer meanwhile, and all is well after.

No request here is given up by its client: what is answered while the store is held was answered without it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
from tests.clickhouse_http import ClickHouseHttp
from tests.conftest import ENGINE_PATH
from tests.web_server import Running, llm_span, own_store, running

from outlay_collector.store.client import READERS
from outlay_web.config import Settings
from outlay_web.pages.routes import PAGES as PAGES_SHOWN

ASKED = ("/", "/calls", "/spend", "/api/v1/spend", "/api/v1/calls", "/metrics", "/api/v1/status")


@dataclass
class Held:
    """A server, and how to make its store hang."""

    server: Running
    hold: Callable[[], AbstractContextManager[None]]


@contextmanager
def busy_engine(server: Running) -> Iterator[None]:
    """Every connection of an embedded store is in a call that does not return."""
    release = threading.Event()
    store, context = server.assembly.store, server.assembly.context
    with context.writing() as writer:
        writer.query("SELECT 1")
        assert writer._pool is not None
        pools = [store._probe, writer._pool, *[store._readers] * READERS]
    stuck = [pool.submit(lambda client: release.wait()) for pool in pools]
    try:
        yield
    finally:
        release.set()
        for call in stuck:
            call.result(60)


@pytest.fixture(scope="module", params=["server", "embedded"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    data = tmp_path_factory.mktemp("data")
    if request.param == "embedded":
        with running(Settings(data=data, store_dsn=own_store())) as server:
            yield Held(server, lambda: busy_engine(server))
    else:
        with ClickHouseHttp(str(ENGINE_PATH)) as clickhouse:
            dsn = clickhouse.dsn(f"held_{uuid.uuid4().hex[:12]}")
            with running(Settings(data=data, store_dsn=dsn)) as server:
                yield Held(server, clickhouse.held)


def test_health_ingest_and_pages_answer_while_the_store_does_not(held: Held) -> None:
    server = held.server
    server.wait(lambda: server.get("/readyz").status == 200, "ready")
    with held.hold():
        ready = server.get("/readyz")
        assert (ready.status, ready.json) == (503, {"status": "the store does not answer"})
        assert server.get("/healthz").status == 200
        assert server.send_spans([llm_span(1, 1)]).status == 200
        with ThreadPoolExecutor(60) as readers:  # more than there are threads to answer them
            asked = [readers.submit(server.get, ASKED[n % len(ASKED)]) for n in range(60)]
            assert server.get("/readyz").status == 503
            assert server.send_spans([llm_span(2, 2)]).status == 200
            answers = [one.result() for one in asked]
        assert {answer.status for answer in answers} == {503}
        assert all("the store does not answer" in answer.text.lower() for answer in answers)
        written = server.post("/api/v1/scores", {"trace_id": f"{1:032x}", "name": "good", "value": 1})
        assert written.status == 503
    server.wait(lambda: server.get("/readyz").status == 200, "ready again")
    server.wait(lambda: server.get("/").status == 200, "answering pages again")
    server.wait_for_calls(2)


@pytest.mark.parametrize("lock", ["_write_lock", "_price_lock", "prices"])
def test_a_held_lock_is_a_503_too(held: Held, monkeypatch: pytest.MonkeyPatch, lock: str) -> None:
    monkeypatch.setattr("outlay_collector.store.locks.LOCK_S", 0.05)
    context = held.server.assembly.context
    with context.prices._lock if lock == "prices" else getattr(context, lock):
        if lock == "_write_lock":
            answer = held.server.post("/api/v1/scores", {"trace_id": f"{1:032x}", "name": "good", "value": 1})
        else:
            answer = held.server.get("/prices")
    assert answer.status == 503
    assert "the store does not answer" in answer.text.lower()


def test_who_only_looks_opens_no_writing_connection(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[float | None] = []
    store = held.server.assembly.store
    monkeypatch.setattr(store, "writer", lambda within_s=None: opened.append(within_s))
    paths = [route.path for route in PAGES_SHOWN if "{" not in route.path]
    for path in (*paths, "/api/v1/prices", "/api/v1/prices?missing=true", "/api/v1/reconcile", "/metrics"):
        asks_for_a_name = path == "/budgets/delete"  # there is no budget to delete, and it says so
        assert held.server.get(path).status == (404 if asks_for_a_name else 200), path
    assert opened == []
