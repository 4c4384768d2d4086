"""`cached` on a real Redis: two tenants, two processes, sync and async, and the server killed in between."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from cryptography.fernet import Fernet
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


def test_encrypted_answers_in_a_redis_are_read_by_who_has_the_key_alone(server: Redis) -> None:
    key, other = Fernet.generate_key(), Fernet.generate_key()
    made: list[str] = []

    async def ask_async(question: str) -> str:
        return bot("A", made)(question)

    async def main(name: str) -> list[str]:
        async with redis.asyncio.Redis(port=server.port) as client:
            cached = outlay.cached(store=client, ttl_s=600, encryption_key=key, name=name, key=str)(ask_async)
            return [await cached("secret"), await cached("secret")]

    with capture(raise_errors=False), redis.Redis(port=server.port) as client:

        def asked(encryption_key: Any, **more: Any) -> Any:
            cached = outlay.cached(store=client, encryption_key=encryption_key, name="bot", key=str, **more)
            return cached(bot("A", made))

        assert [asked(key, ttl_s=600)("secret"), asked(key)("secret")] == ["A: secret"] * 2
        assert asked([other, key])("secret") == "A: secret"  # a key that was changed
        assert asyncio.run(main("bot")) == ["A: secret"] * 2  # sync and async share answers
        assert made == ["secret"]
        [raw] = [client.get(name) for name in client.scan_iter()]
        assert b"secret" not in raw
        assert b"secret" not in b"".join(client.scan_iter())
        assert asked(other, version=1)("secret") == asked(key, version=1)("secret") == "A: secret"
        assert made == ["secret"] * 3  # what cannot be read is made anew


def test_a_redis_that_is_killed_while_a_hundred_threads_ask_costs_no_answer(server: Redis) -> None:
    made: list[str] = []
    said: list[list[str]] = []
    killed = threading.Event()
    with capture(raise_errors=False), redis.Redis(port=server.port) as client:
        ask = outlay.cached(store=client, max_wait_s=60)(bot("A", made))

        def run() -> None:
            before = [ask(str(n)) for n in range(3)]
            killed.wait(120)
            said.append([*before, *(ask(str(n)) for n in range(3))])

        threads = [threading.Thread(target=run, daemon=True) for _ in range(100)]
        for thread in threads:
            thread.start()
        until(lambda: len(made) >= 2, "made")
        server.stop()
        killed.set()
        for thread in threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in threads), "deadlocked"
    assert said == [[f"A: {n}" for n in range(3)] * 2] * 100
