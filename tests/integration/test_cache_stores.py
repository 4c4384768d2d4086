"""`cached` in a file of SQLite's: shared, outlasting, encrypted; and on whatever store fails, hangs or is slow."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

import outlay
from outlay.testing import capture


@pytest.fixture(autouse=True)
def sent() -> Iterator[Any]:
    with capture(raise_errors=False) as captured:
        yield captured


def counted(store: Any, **options: Any) -> tuple[Any, list[str]]:
    made: list[str] = []

    @outlay.cached(store=store, name="answer", key=lambda question: question, **options)
    def answer(question: str) -> dict[str, str]:
        made.append(question)
        return {"said": question.upper()}

    return answer, made


def test_answers_outlast_the_process_and_end_in_time(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    answer, made = counted(outlay.SqliteStore(path), ttl_s=3600)
    assert [answer("a"), answer("a")] == [{"said": "A"}] * 2
    again, made_again = counted(outlay.SqliteStore(path), ttl_s=3600)
    assert (again("a"), made, made_again) == ({"said": "A"}, ["a"], [])
    assert outlay.invalidate(again, "a") is True
    assert outlay.invalidate(again, "a") is False
    with sqlite3.connect(path) as file:
        again("b")
        file.execute("UPDATE answers SET ends_at = 1, value = replace(value, '\"expires_at\": ', '\"expires_at\": -')")
    file.close()
    again("b")
    assert made_again == ["b", "b"]


def test_another_process_finds_what_this_one_kept(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    code = (
        "import outlay, sys\n"
        "@outlay.cached(store=outlay.SqliteStore(sys.argv[1]), name='answer', key=lambda question: question)\n"
        "def answer(question):\n    return {'said': 'by the other'}\n"
        "print(answer('q'))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OTEL_SDK_DISABLED": "true"}
    said = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environ, check=True, timeout=300
    )
    assert said.stdout.strip() == "{'said': 'by the other'}"
    answer, made = counted(outlay.SqliteStore(path))
    assert (answer("q"), made) == ({"said": "by the other"}, [])


def test_the_ones_used_longest_ago_go_first(tmp_path: Path) -> None:
    store = outlay.SqliteStore(tmp_path / "answers.db", max_entries=5)
    for number in range(40):
        store.set(str(number), b"x")
    assert store.get("39") == b"x"
    assert store.get("0") is None
    with sqlite3.connect(tmp_path / "answers.db") as file:
        assert file.execute("SELECT count(*) FROM answers").fetchone()[0] <= 10
    file.close()
    store.close()
    assert store.get("39") == b"x"
    with pytest.raises(ValueError, match="max_entries"):
        outlay.SqliteStore(tmp_path / "x.db", max_entries=0)


def test_a_file_that_is_held_or_damaged_costs_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    answer, made = counted(outlay.SqliteStore(path, wait_s=0))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert [answer("a"), answer("a")] == [{"said": "A"}] * 2
    holder.execute("ROLLBACK")
    holder.close()
    assert [answer("a"), answer("a")] == [{"said": "A"}] * 2
    assert made == ["a"] * 3
    with sqlite3.connect(path) as file:
        file.execute("UPDATE answers SET value = 'no json'")
    file.close()
    assert answer("a") == {"said": "A"}
    assert made == ["a"] * 4


def test_a_child_process_has_a_connection_of_its_own(tmp_path: Path) -> None:
    store = outlay.SqliteStore(tmp_path / "answers.db")
    store.set("a", b"x")
    before = store._connection
    store.after_fork()
    assert store._connection is None
    assert store.get("a") == b"x"
    assert store._connection is not before
    before.close()
    store.close()


def test_encrypted_answers_are_read_by_who_has_the_key_and_under_their_own_key_only(tmp_path: Path) -> None:
    path, old, new = tmp_path / "answers.db", Fernet.generate_key(), Fernet.generate_key()
    answer, _ = counted(outlay.SqliteStore(path), encryption_key=old)
    assert [answer("secret"), answer("secret"), answer("other")] == [{"said": "SECRET"}] * 2 + [{"said": "OTHER"}]
    assert b"SECRET" not in b"".join(part.read_bytes() for part in tmp_path.iterdir())
    rotated, made_rotated = counted(outlay.SqliteStore(path), encryption_key=[new, old])
    assert (rotated("secret"), made_rotated) == ({"said": "SECRET"}, [])
    strange, made_strange = counted(outlay.SqliteStore(path), encryption_key=new)
    assert (strange("secret"), made_strange) == ({"said": "SECRET"}, ["secret"])
    with sqlite3.connect(path) as file:  # somebody puts one's answer into another one's place
        [(value,)] = file.execute("SELECT value FROM answers LIMIT 1").fetchall()
        file.execute("UPDATE answers SET value = ?", (value,))
    file.close()
    both, made_both = counted(outlay.SqliteStore(path), encryption_key=[new, old])
    assert (both("secret"), both("other")) == ({"said": "SECRET"}, {"said": "OTHER"})
    assert len(made_both) == 1
    with pytest.raises(ValueError, match="store beyond this process"):
        outlay.cached(encryption_key=old)
    with pytest.raises(ValueError, match="generate_key"):
        outlay.cached(store=outlay.SqliteStore(path), encryption_key="short")


class Odd(dict[str, Any]):
    """A store that is slow, fails, or hangs until it is let go."""

    def __init__(self, mood: str) -> None:
        super().__init__()
        self.mood, self.released = mood, threading.Event()

    def get(self, key: str, default: Any = None) -> Any:
        self._behave()
        return super().get(key, default)

    def __setitem__(self, key: str, entry: Any) -> None:
        self._behave()
        super().__setitem__(key, entry)

    def _behave(self) -> None:
        if self.mood == "failing":
            raise ConnectionError("away")
        if self.mood == "slow":
            time.sleep(0.01)
        if self.mood == "hanging":
            self.released.wait(0.2)


@pytest.mark.parametrize("mood", ["up", "slow", "failing", "hanging"])
@pytest.mark.parametrize("provider", ["up", "failing"])
def test_a_hundred_threads_share_a_call_whatever_the_store_does(mood: str, provider: str) -> None:
    store, made, started = Odd(mood), [], threading.Barrier(100)

    @outlay.cached(store=store)
    def answer(question: str) -> str:
        made.append(question)
        time.sleep(0.05)
        if provider == "failing":
            raise ValueError("down")
        return question.upper()

    said: list[Any] = []

    def ask() -> None:
        started.wait(60)
        try:
            said.append(answer("q"))
        except ValueError as error:
            said.append(str(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "deadlocked"
    assert said == ["down" if provider == "failing" else "Q"] * 100
    if provider == "up" and mood != "failing":
        assert made == ["q"]  # who comes late finds it in the store


@pytest.mark.parametrize("mood", ["up", "failing"])
def test_a_thousand_tasks_share_a_call(mood: str) -> None:
    store, made = Odd(mood), []

    async def main() -> list[str]:
        landed = asyncio.Event()

        @outlay.cached(store=store)
        async def answer(question: str) -> str:
            made.append(question)
            await landed.wait()
            return question.upper()

        tasks = [asyncio.ensure_future(answer("q")) for _ in range(1000)]
        while not made:
            await asyncio.sleep(0)
        landed.set()
        return await asyncio.wait_for(asyncio.gather(*tasks), 120)

    assert asyncio.run(main()) == ["Q"] * 1000
    assert made == ["q"]


def test_what_the_file_holds_is_json(tmp_path: Path) -> None:
    answer, _ = counted(outlay.SqliteStore(tmp_path / "answers.db"))
    answer("a")
    with sqlite3.connect(tmp_path / "answers.db") as file:
        [(value,)] = file.execute("SELECT value FROM answers").fetchall()
    file.close()
    assert json.loads(value)["value"] == {"said": "A"}


def test_a_hit_waits_for_nobody_and_is_none_the_less_one(tmp_path: Path) -> None:
    store = outlay.SqliteStore(tmp_path / "answers.db", wait_s=3600)
    store.set("key", b"value")
    with contextlib.closing(sqlite3.connect(tmp_path / "answers.db", isolation_level=None)) as other:
        other.execute("UPDATE answers SET used_at = used_at - 120")
        before = other.execute("SELECT used_at FROM answers").fetchone()
        other.execute("BEGIN IMMEDIATE")
        assert store.get("key") == b"value"
        other.execute("ROLLBACK")
        assert store.get("key") == b"value"
        assert other.execute("SELECT used_at FROM answers").fetchone() > before
    store.close()
