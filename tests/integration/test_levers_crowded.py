"""A hundred threads or a thousand tasks ask the same at once, while the provider, the store or the embedder misbehaves.

Nobody waits for another one's call longer than `max_wait_s`: who has waited so long makes a call of its own, so that
the longest wait is that and one call. Nobody makes more than one, nobody is left behind, and all answers are right.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.waiting import until

import outlay
from outlay.testing import capture

PARTS = ["provider", "store", "embedder"]
MOODS = ["up", "slow", "failing", "hanging"]
THREADS, TASKS = 100, 1_000


@pytest.fixture(autouse=True)
def _sent() -> Iterator[None]:
    with capture(raise_errors=False):
        yield


class World:
    """A provider, a store and an embedder, of which one has a mood."""

    def __init__(self, part: str, mood: str) -> None:
        self._moods = dict.fromkeys(PARTS, "up") | {part: mood}
        self.gate = threading.Event()
        self.begun = dict.fromkeys(PARTS, 0)
        self._lock = threading.Lock()

    def behave(self, part: str) -> None:
        """As the mood is; only what hangs waits for the gate."""
        with self._lock:
            self.begun[part] += 1
        mood = self._moods[part]
        if mood == "slow":
            time.sleep(0.001)
        if mood == "hanging":
            self.gate.wait(120)
        if mood == "failing":
            raise ConnectionError(f"{part} is away")

    async def abehave(self, part: str) -> None:
        if self._moods[part] == "hanging":
            self.begun[part] += 1
            while not self.gate.is_set():
                await asyncio.sleep(0.001)
        else:
            await asyncio.sleep(0)
            self.behave(part)


class Store(dict[str, Any]):
    """A mapping of a world."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def get(self, key: str, default: Any = None) -> Any:
        self._world.behave("store")
        return super().get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        self._world.behave("store")
        super().__setitem__(key, value)


def cached(kind: str, world: World, max_wait_s: float, is_async: bool) -> Any:
    def embed(text: str) -> list[float]:
        world.behave("embedder")
        return [0.6, 0.8]

    async def aembed(text: str) -> list[float]:
        await world.abehave("embedder")
        return [0.6, 0.8]

    def answer(question: str) -> str:
        world.behave("provider")
        return question.upper()

    async def aanswer(question: str) -> str:
        await world.abehave("provider")
        return question.upper()

    cache: Any = (
        outlay.cached(store=Store(world), max_wait_s=max_wait_s)
        if kind == "exact"
        else outlay.SemanticCache(aembed if is_async else embed, store=Store(world), max_wait_s=max_wait_s)
    )
    return cache(aanswer if is_async else answer)


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(
    ("kind", "part"), [("exact", "provider"), ("exact", "store"), *(("semantic", part) for part in PARTS)]
)
def test_a_hundred_threads(kind: str, part: str, mood: str) -> None:
    world = World(part, mood)
    hangs = mood == "hanging" and part != "store"
    ask = cached(kind, world, 0.02 if hangs else 120, is_async=False)
    said: list[str] = []

    def run() -> None:
        try:
            said.append(ask("q"))
        except ConnectionError as error:
            said.append(str(error))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    if hangs:  # each has waited for the one that hangs, and no longer than it wanted
        until(lambda: world.begun[part] == THREADS, "calls of their own")
    world.gate.set()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "deadlocked"
    assert said == ["provider is away" if (part, mood) == ("provider", "failing") else "Q"] * THREADS
    if mood in ("up", "slow"):
        assert world.begun["provider"] == 1
    assert world.begun["provider"] <= THREADS


@pytest.mark.parametrize("mood", ["failing", "hanging"])
@pytest.mark.parametrize(("kind", "part"), [("exact", "provider"), ("semantic", "embedder")])
def test_a_thousand_tasks(kind: str, part: str, mood: str) -> None:
    world = World(part, mood)
    hangs = mood == "hanging"
    ask = cached(kind, world, 0.02 if hangs else 120, is_async=True)

    async def run() -> str:
        try:
            return str(await ask("q"))
        except ConnectionError as error:
            return str(error)

    async def main() -> list[str]:
        tasks = [asyncio.ensure_future(run()) for _ in range(TASKS)]
        while hangs and world.begun[part] < TASKS:
            await asyncio.sleep(0.001)
        world.gate.set()
        return await asyncio.wait_for(asyncio.gather(*tasks), 300)

    assert asyncio.run(main()) == ["provider is away" if (part, mood) == ("provider", "failing") else "Q"] * TASKS
    if mood == "failing":
        assert world.begun["provider"] == 1  # the others share what the first one brought, also its failure
    assert world.begun["provider"] <= TASKS
