"""The product deployed in several ways, driven step by step: what is the same on all of them, tests compare.

`embedded` keeps all in one process, `node` asks a server over HTTP, `shards` a cluster of two shards: a process that
receives, answers and settles one cell, and one that settles the other.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from outlay_analytics.alerting import evaluate
from outlay_web.config import OFF, Config, Settings
from outlay_web.server.application import Application
from tests.clickhouse_http import ClickHouseHttp
from tests.clickhouse_shards import TwoShards
from tests.conftest import ENGINE_PATH

Way = Literal["embedded", "node", "shards"]
KEY = "boot-key-of-the-tests"
JSON = "application/json"


class Clock:
    """A clock that goes on when a test says so."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Said:
    """An answer: its status, and what was said, as JSON where it is."""

    status: int
    value: Any


class Deployment:
    """One deployment; what settles does so when it is told to."""

    def __init__(self, applications: Sequence[Application], clock: Clock) -> None:
        self.applications = applications
        self.clock = clock
        self.first = applications[0]
        for application in applications:
            application.lease.wait()
            assert application.pipeline._begin_term()
        if self.first.cell_tasks is None:
            self.first.open_pipeline()
        self._app = self.first.asgi()

    def request(
        self, method: str, path: str, value: Any = None, *, body: bytes = b"", kind: str = JSON, key: str = KEY
    ) -> Said:
        """One request; what it wants of other cells, they do meanwhile."""
        content = body if value is None else json.dumps(value).encode()
        headers = {"content-type": kind, "authorization": f"Bearer {key}"}
        with self._tasks():
            answer = asyncio.run(self._exchange(method, path, content, headers))
        try:
            return Said(answer.status_code, answer.json())
        except ValueError:
            return Said(answer.status_code, answer.text[:500])

    def get(self, path: str, **query: str) -> Said:
        """An answer of the API."""
        asked = str(httpx.QueryParams(query))
        return self.request("GET", f"/api/v1{path}" + (f"?{asked}" if asked else ""))

    def settle(self) -> None:
        """Load and settle until nothing waits, in any cell."""
        loader = self.first.loader
        assert loader is not None
        while loader.run_once():
            pass
        while [application for application in self.applications if _settled(application)]:
            pass

    def roll_up(self) -> None:
        """Roll up what has grown quiet."""
        for application in self.applications:
            assert application.pipeline._begin_term()
            assert application.pipeline._rollup is not None
            while application.pipeline._rollup.run_once():
                pass

    def judge(self) -> None:
        """Look after the budgets, as the jobs of the first cell do each minute."""
        context = self.first.context
        writer = self.first._fenced.writer()
        evaluate.evaluate(context.store, writer, context.now(), context.config["alerts"], context.config["budgets"])
        writer.close()

    async def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, client=("203.0.113.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=600) as client:
            return await client.request(method, path, content=body, headers=headers)

    @contextmanager
    def _tasks(self) -> Iterator[None]:
        if self.first.cell_tasks is None:
            yield
            return
        done = threading.Event()

        def work() -> None:
            while not done.wait(0.05):
                for application in self.applications:
                    application.pipeline.run_cell_tasks()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _settled(application: Application) -> bool:
    assert application.pipeline._begin_term()
    assert application.pipeline._settler is not None
    seen = application.pipeline._settler._version
    while application.pipeline._settler.run_once():
        pass
    return application.pipeline._settler._version != seen


@contextmanager
def deployed(way: Way, folder: Path, now: datetime, cluster: TwoShards | None = None) -> Iterator[Deployment]:
    """A deployment on an empty store of its own; that on two shards uses `cluster`."""
    folder.mkdir(parents=True, exist_ok=True)
    clock, database = Clock(now), f"way_{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        if way == "embedded":
            dsns = [f"chdb://{ENGINE_PATH}?database={database}"]
        elif way == "node":
            dsns = [stack.enter_context(ClickHouseHttp(str(ENGINE_PATH))).dsn(database)]
        else:
            assert cluster is not None
            dsns = [cluster.dsn(database, node) for node in (1, 2)]
        applications = []
        for number, dsn in enumerate(dsns):
            roles = ("receive", "jobs", "web") if number == 0 else ("jobs",)
            settings = Settings(
                data=folder / f"data-{number}", store_dsn=dsn, grpc_port=OFF, roles=roles, bootstrap_key=KEY, keys="on"
            )
            applications.append(Application(Config(settings, {}), command="serve", clock=clock))
            stack.callback(applications[-1].close, 60)
        yield Deployment(applications, clock)
