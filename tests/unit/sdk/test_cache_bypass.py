"""A call that passes the cache by."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.cache_calls import PATIENCE_S, Redis, Slow

import outlay
from outlay.optimizations.rules import is_bypassed
from outlay.optimizations.single_flight import Flights
from outlay.testing import Capture


def refused_under_bypass(join: Callable[..., Any]) -> Callable[..., Any]:
    def joined(self: Flights, key: str) -> Any:
        assert not is_bypassed(), "joins a flight"
        return join(self, key)

    return joined


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("cache", ["exact", "semantic"])
def test_a_bypassed_call_joins_nobody_and_is_kept(
    sent: Capture, monkeypatch: pytest.MonkeyPatch, cache: str, is_async: bool
) -> None:
    slow = Slow("old")
    monkeypatch.setattr(Flights, "join", refused_under_bypass(Flights.join))
    decorate: Any = outlay.cached if cache == "exact" else outlay.SemanticCache(lambda text: [1.0])

    def make(question: str) -> Any:
        return "new" if threading.current_thread() is threading.main_thread() else slow.ask()

    async def amake(question: str) -> Any:
        return make(question)

    wrapped = decorate(amake if is_async else make)

    def ask() -> Any:
        return asyncio.run(wrapped("?")) if is_async else wrapped("?")

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(ask)
        assert slow.asked.wait(PATIENCE_S)
        try:
            with outlay.bypass():
                assert ask() == "new"
        finally:
            slow.let.set()
        assert leader.result(PATIENCE_S) == "old"
    with outlay.bypass():
        assert ask() == "new"
    assert ask() == "new" or cache == "semantic"  # the nearest of two that are equally near


def test_a_bypassed_call_does_not_look(sent: Capture) -> None:
    redis = Redis()
    ask = outlay.cached(name="ask", store=redis)(lambda: "answer")
    with outlay.bypass():
        assert [ask(), ask()] == ["answer", "answer"]
    assert (redis.reads, len(redis.kept)) == (0, 1)
