"""Calls of cached functions by many at once: a provider that waits, stores that are down, and who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import outlay
from outlay.optimizations.single_flight import Flights

CALLERS = 20
PATIENCE_S = 30  # of a test for a thread that never comes


class Down(dict[str, Any]):
    """A store that keeps nothing."""

    def __setitem__(self, key: str, value: Any) -> None:
        raise ConnectionError("the store is down")


class Slow:
    """A provider that answers when it is let, and counts who asks."""

    def __init__(self, answer: Any = "yes") -> None:
        self.answer = answer
        self.made = 0
        self.asked = threading.Event()
        self.let = threading.Event()

    def ask(self) -> Any:
        self.made += 1
        self.asked.set()
        assert self.let.wait(PATIENCE_S)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def broken(text: str) -> list[float]:
    raise ConnectionError("the embedder is down")


CACHES: dict[str, Callable[[], Any]] = {
    "memory": lambda: outlay.cached,
    "store down": lambda: outlay.cached(store=Down()),
    "semantic": lambda: outlay.SemanticCache(lambda text: [1.0]),
    "embedder down": lambda: outlay.SemanticCache(broken),
    "vectors down": lambda: outlay.SemanticCache(lambda text: [1.0], store=Down()),
}


def waiting(monkeypatch: pytest.MonkeyPatch, count: int) -> threading.Event:
    """Set when so many wait for a leader."""
    arrived = threading.Event()
    lock = threading.Lock()
    seen = [0]

    def came() -> None:
        with lock:
            seen[0] += 1
            if seen[0] == count:
                arrived.set()

    wait, await_ = Flights.wait, Flights.await_

    def wait_counted(self: Flights, flight: Any) -> bool:
        came()
        return wait(self, flight)

    async def await_counted(self: Flights, flight: Any) -> bool:
        came()
        return await await_(self, flight)

    monkeypatch.setattr(Flights, "wait", wait_counted)
    monkeypatch.setattr(Flights, "await_", await_counted)
    return arrived


class Redis:
    """The part of a Redis client that a cache needs."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.reads = 0

    def get(self, key: str) -> str | None:
        self.reads += 1
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def setex(self, key: str, seconds: int, value: str) -> None:
        self.kept[key] = value
