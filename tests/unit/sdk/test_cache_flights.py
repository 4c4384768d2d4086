"""Many callers of one key at once share one call: shown with events, never with time."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.cache_calls import CACHES, CALLERS, PATIENCE_S, Redis, Slow, waiting

import outlay
from outlay.testing import Capture


@pytest.mark.parametrize("answer", ["yes", TimeoutError("the provider is down")], ids=["answers", "fails"])
@pytest.mark.parametrize("kind", CACHES)
def test_callers_at_once_share_one_call_stored_or_not(
    kind: str, answer: Any, sent: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, arrived = Slow(answer), waiting(monkeypatch, CALLERS - 1)

    @CACHES[kind]()  # type: ignore[untyped-decorator]
    def ask(question: str) -> Any:
        return provider.ask()

    def call() -> Any:
        try:
            return ask("q")
        except TimeoutError as error:
            return error

    with ThreadPoolExecutor(CALLERS) as pool:
        found = [pool.submit(call) for _ in range(CALLERS)]
        assert arrived.wait(PATIENCE_S)
        provider.let.set()
        assert {one.result(PATIENCE_S) for one in found} == {answer}
    assert provider.made == 1
    said = [span.attributes["outlay.cache.hit"] for span in sent.spans if "outlay.cache.hit" in span.attributes]
    assert said.count(True) == (CALLERS - 1 if answer == "yes" else 0)


@pytest.mark.parametrize("hidden", [False, True], ids=["coroutine function", "lambda"])
@pytest.mark.parametrize("answer", ["yes", TimeoutError("the provider is down")], ids=["answers", "fails"])
@pytest.mark.parametrize("kind", CACHES)
def test_tasks_at_once_share_one_call_stored_or_not(
    kind: str, answer: Any, hidden: bool, sent: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    async def main() -> None:
        let = asyncio.Event()
        arrived = waiting(monkeypatch, CALLERS - 1)

        async def provider(question: str) -> str:
            made.append(question)
            await let.wait()
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        ask = CACHES[kind]()((lambda question: provider(question)) if hidden else provider)
        tasks = [asyncio.ensure_future(ask("q")) for _ in range(CALLERS)]
        assert await asyncio.to_thread(arrived.wait, PATIENCE_S)
        let.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert set(found) == {answer}

    asyncio.run(main())
    assert made == ["q"]


@pytest.mark.parametrize("kind", CACHES)
def test_a_function_that_asks_itself_the_same_does_not_wait_for_itself(kind: str, sent: Capture) -> None:
    depth = []

    @CACHES[kind]()  # type: ignore[untyped-decorator]
    def ask(question: str) -> str:
        depth.append(question)
        if len(depth) == 1:
            return str(ask(question))
        if len(depth) == 2:  # in another thread that works for us
            with ThreadPoolExecutor(1) as pool:
                return str(pool.submit(contextvars.copy_context().run, ask, question).result())
        return "deep"

    assert ask("q") == "deep"

    async def main() -> None:
        levels = []

        @CACHES[kind]()  # type: ignore[untyped-decorator]
        async def ask_async(question: str) -> str:
            levels.append(question)
            if len(levels) < 3:
                return str((await asyncio.gather(ask_async(question)))[0])
            return "deep"

        assert await ask_async("q") == "deep"

    asyncio.run(main())


def test_two_keys_that_need_each_other_do_not_wait_for_each_other(sent: Capture) -> None:
    async def main() -> None:
        both = asyncio.Barrier(2)
        inside: list[str] = []

        @outlay.cached
        async def ask(question: str, other: str, deep: bool = False) -> str:
            if len(inside) < 2:
                inside.append(question)
                await both.wait()
                return f"{question}{await ask(other, question)}"
            return question

        found = await asyncio.gather(ask("a", "b"), ask("b", "a"))
        assert len(found) == 2

    asyncio.run(main())


def test_two_loops_in_two_threads_share_one_call(sent: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, arrived = Slow(), waiting(monkeypatch, 1)

    @outlay.cached
    async def ask(question: str) -> Any:
        return await asyncio.to_thread(provider.ask)

    async def call() -> Any:
        return await ask("q")

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(asyncio.run, call()) for _ in range(2)]
        assert arrived.wait(PATIENCE_S)
        provider.let.set()
        assert [one.result(PATIENCE_S) for one in found] == ["yes", "yes"]
    assert provider.made == 1


@pytest.mark.parametrize("store", [None, Redis])
def test_those_who_share_a_flight_may_each_change_their_answer(
    sent: Capture, monkeypatch: pytest.MonkeyPatch, store: Any
) -> None:
    slow = Slow({"items": ["a"]})
    ask = outlay.cached(name="ask", key=lambda: "?", store=store and store())(slow.ask)
    all_wait = waiting(monkeypatch, 2)
    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(ask)
        assert slow.asked.wait(PATIENCE_S)
        others = [pool.submit(ask) for _ in range(2)]
        assert all_wait.wait(PATIENCE_S)
        slow.let.set()
        answers = [one.result(PATIENCE_S) for one in (leader, *others)]
    assert slow.made == 1
    for answer in answers:
        answer["items"].append("spoiled")
    assert answers == [{"items": ["a", "spoiled"]}] * 3
    assert ask() == {"items": ["a"]}
