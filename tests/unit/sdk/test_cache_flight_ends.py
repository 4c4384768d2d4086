"""Callers of one key whose call fails, is cancelled or takes longer than they wait."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import traceback
import weakref
from typing import Any

import pytest
from tests.cache_calls import CACHES, CALLERS, PATIENCE_S, Slow, waiting

import outlay
from outlay.testing import Capture


def test_nobody_waits_longer_than_he_wants(sent: Capture) -> None:
    provider = Slow()

    @outlay.cached(max_wait_s=0)
    def ask(question: str) -> Any:
        return provider.ask() if threading.current_thread() is hung else "mine"

    hung = threading.Thread(target=ask, args=("q",))
    hung.start()
    assert provider.asked.wait(PATIENCE_S)
    assert ask("q") == "mine"  # although the leader hangs

    async def main() -> None:
        let = asyncio.Event()
        asked = []

        @outlay.cached(max_wait_s=0)
        async def ask_async(question: str) -> str:
            asked.append(question)
            if len(asked) == 1:
                await let.wait()
            return "mine"

        first = asyncio.ensure_future(ask_async("q"))
        while not asked:
            await asyncio.sleep(0)
        assert await ask_async("q") == "mine"
        let.set()
        assert await first == "mine"

    asyncio.run(main())
    provider.let.set()
    hung.join(PATIENCE_S)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="max_wait_s"):
            outlay.cached(max_wait_s=wrong)


def test_a_leader_that_is_cancelled_takes_nobody_with_it(sent: Capture) -> None:
    async def main() -> None:
        asked, let = [], asyncio.Event()

        @outlay.cached
        async def ask(question: str) -> str:
            asked.append(question)
            await let.wait()
            return "yes"

        leader, follower = asyncio.ensure_future(ask("q")), asyncio.ensure_future(ask("q"))
        while not asked:
            await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        let.set()
        assert await follower == "yes"
        assert asked == ["q", "q"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", CACHES)
def test_where_a_leader_is_cancelled_one_of_the_others_leads(
    kind: str, sent: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        asked, let = [], asyncio.Event()
        arrived = waiting(monkeypatch, CALLERS - 1)

        @CACHES[kind]()  # type: ignore[untyped-decorator]
        async def ask(question: str) -> str:
            asked.append(question)
            await let.wait()
            return "yes"

        leader, *followers = [asyncio.ensure_future(ask("q")) for _ in range(CALLERS)]
        assert await asyncio.to_thread(arrived.wait, PATIENCE_S)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        while len(asked) < 2:
            await asyncio.sleep(0)
        let.set()
        assert await asyncio.gather(*followers) == ["yes"] * (CALLERS - 1)
        assert asked == ["q", "q"]

    asyncio.run(main())


def test_an_exception_that_many_share_does_not_grow_with_each(sent: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> set[int]:
        let = asyncio.Event()
        arrived = waiting(monkeypatch, CALLERS - 1)

        @outlay.cached
        async def ask(question: str) -> str:
            await let.wait()
            raise TimeoutError("the provider is down")

        async def depth() -> int:
            try:
                await ask("q")
            except TimeoutError as error:
                return len(traceback.extract_tb(error.__traceback__))
            raise AssertionError("it fails")

        leader, *followers = [asyncio.ensure_future(depth()) for _ in range(CALLERS)]
        assert await asyncio.to_thread(arrived.wait, PATIENCE_S)
        let.set()
        await leader
        return set(await asyncio.gather(*followers))

    assert len(asyncio.run(main())) == 1


def test_a_failed_call_that_nobody_shares_keeps_nothing_alive(sent: Capture) -> None:
    class Question(str):
        """A text that can be pointed at weakly."""

    @outlay.cached(key=str)
    def ask(question: str) -> str:
        raise TimeoutError("the provider is down")

    question = Question("q")
    gone = weakref.ref(question)
    gc.disable()
    try:
        with contextlib.suppress(TimeoutError):
            ask(question)
        del question
        assert gone() is None
    finally:
        gc.enable()


def test_a_follower_that_is_cancelled_leaves_the_call_alone(sent: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        asked, let = [], asyncio.Event()
        arrived = waiting(monkeypatch, 1)

        @outlay.cached
        async def ask(question: str) -> str:
            asked.append(question)
            await let.wait()
            return "yes"

        leader, follower = asyncio.ensure_future(ask("q")), asyncio.ensure_future(ask("q"))
        assert await asyncio.to_thread(arrived.wait, PATIENCE_S)
        follower.cancel()
        with pytest.raises(asyncio.CancelledError):
            await follower
        let.set()
        assert await leader == "yes"
        assert asked == ["q"]

    asyncio.run(main())
