"""`cached` on a real Redis: two tenants, two processes, sync and async, and the server killed in between."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from tests.waiting import until

import outlay
from outlay.testing import capture

SERVER = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="no redis-server on this machine")


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


class Redis:
    """A server of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._folder = tempfile.mkdtemp(prefix="outlay-redis-")
        command = [str(SERVER), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        until(lambda: answers(client), "answering")
        client.close()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture
def server() -> Iterator[Redis]:
    found = Redis()
    yield found
    found.stop()


def bot(tenant: str, made: list[str]) -> Callable[[str], str]:
    def ask(question: str) -> str:
        made.append(question)
        return f"{tenant}: {question}"

    return ask


def test_two_tenants_share_a_redis_and_no_answer(server: Redis) -> None:
    made: list[str] = []
    with capture(raise_errors=False), redis.Redis(port=server.port) as client:
        asks = [outlay.cached(store=client, ttl_s=600)(bot(tenant, made)) for tenant in "AB"]
        assert [ask("q") for ask in asks * 2] == ["A: q", "B: q"] * 2
        assert len(made) == 2
        kept = list(client.scan_iter())
        assert len(kept) == 2
        assert all(0 < client.ttl(key) <= 600 for key in kept)


def test_another_process_finds_the_answers_of_its_own_tenant_only(server: Redis, tmp_path: Path) -> None:
    (tmp_path / "shop_bot.py").write_text(
        "import sys, redis, outlay\n"
        "def bot(tenant, sign):\n"
        "    def ask(question): return f'{tenant} {question}'\n"
        "    return ask\n"
        f"client = redis.Redis(port={server.port})\n"
        "before = client.dbsize()\n"
        "print(outlay.cached(store=client)(bot(sys.argv[1], sys.argv[2]))('q'), client.dbsize() - before)\n"
        "client.close()\n"
    )
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    said = []
    for tenant in ("A", "B", "A", "B"):
        command = [sys.executable, "-c", "import shop_bot", tenant, "!"]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=300
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.strip())
    assert said == ["A q 1", "B q 1", "A q 0", "B q 0"]


def test_a_redis_that_is_killed_costs_lookups_and_no_answer(server: Redis) -> None:
    made: list[str] = []
    with capture(raise_errors=False), redis.Redis(port=server.port) as client:
        ask = outlay.cached(store=client)(bot("A", made))
        assert [ask("q"), ask("q")] == ["A: q", "A: q"]
        server.stop()
        assert [ask("q"), ask("q")] == ["A: q", "A: q"]
        assert len(made) == 3


def test_an_async_redis_serves_tasks_at_once_with_one_call(server: Redis) -> None:
    made = []

    async def ask(question: str) -> str:
        made.append(question)
        await asyncio.sleep(0)
        return question.upper()

    async def main() -> None:
        async with redis.asyncio.Redis(port=server.port) as client:
            cached = outlay.cached(store=client)(ask)
            assert set(await asyncio.gather(*(cached("q") for _ in range(50)))) == {"Q"}
            assert made == ["q"]
            server.stop()
            assert set(await asyncio.gather(*(cached("q") for _ in range(5)))) == {"Q"}

    with capture(raise_errors=False):
        asyncio.run(main())
