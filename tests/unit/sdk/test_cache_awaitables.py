"""Whatever a cached function gives: awaitables are awaited once, generators refused, what is read once copied."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

import outlay
from outlay.testing import Capture


class Asks:
    """A callable object, sync or async as its class says."""

    def __init__(self) -> None:
        self.name = "mine"

    async def __call__(self, question: str) -> str:
        return question.upper()

    async def method(self, question: str) -> str:
        return question.upper()

    def hidden(self, question: str) -> Any:
        return self(question)


class Wait:
    """An awaitable that is no coroutine."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return self.value


async def coroutine(question: str) -> str:
    return question.upper()


AWAITABLE: dict[str, Callable[[], Any]] = {
    "coroutine function": lambda: coroutine,
    "lambda": lambda: lambda question: coroutine(question),
    "lambda of a task": lambda: lambda question: asyncio.ensure_future(coroutine(question)),
    "lambda of an awaitable": lambda: lambda question: Wait(question.upper()),
    "partial": lambda: functools.partial(coroutine),
    "partial of a lambda": lambda: functools.partial(lambda question: coroutine(question)),
    "partial of a partial": lambda: functools.partial(functools.partial(coroutine)),
    "callable object": Asks,
    "method": lambda: Asks().method,
    "hidden method": lambda: Asks().hidden,
    "partial of a callable object": lambda: functools.partial(Asks()),
    "tracked lambda": lambda: outlay.track(feature="x")(lambda question: coroutine(question)),
    "cascade": lambda: outlay.Cascade("c", [coroutine], accept=bool),
    "cascade of lambdas": lambda: outlay.Cascade("c", [lambda question: coroutine(question)], accept=bool),
}


@pytest.mark.parametrize("cache", ["exact", "remote", "semantic"])
@pytest.mark.parametrize("kind", AWAITABLE)
def test_whatever_gives_an_awaitable_is_awaited_once_and_its_answer_kept(kind: str, cache: str, sent: Capture) -> None:
    class Remote:
        def __init__(self) -> None:
            self.kept: dict[str, str] = {}

        def get(self, key: str) -> str | None:
            return self.kept.get(key)

        def set(self, key: str, value: str) -> None:
            self.kept[key] = value

        setex: Any = None

    store: Any = Remote() if cache == "remote" else {}

    async def main() -> None:
        for _ in range(2):  # decorated anew, as after a restart
            function = AWAITABLE[kind]()
            ask = (
                outlay.SemanticCache(lambda text: [1.0], store=store)(name="ask")(function)
                if cache == "semantic"
                else outlay.cached(store=store, name="ask")(function)
            )
            assert [await ask("a"), await ask("a")] == ["A", "A"]
            assert [*await asyncio.gather(ask("a"), ask("a"))] == ["A", "A"]

    asyncio.run(main())
    assert len(store.kept if cache == "remote" else store) == 1
    said = [span.attributes["outlay.cache.hit"] for span in sent.spans if "outlay.cache.hit" in span.attributes]
    assert said == [False] + [True] * 7
    spans = {span.span_id: span for span in sent.spans}
    for span in sent.spans:  # what is done inside a lookup belongs to it
        if span.name in ("<lambda>", "coroutine") and span.parent_span_id:
            assert span.end_ns <= spans[span.parent_span_id].end_ns


def items(question: str) -> Iterator[str]:
    yield from question


async def items_async(question: str) -> AsyncIterator[str]:
    for letter in question:
        yield letter


class Items:
    def __call__(self, question: str) -> Iterator[str]:
        yield from question

    def method(self, question: str) -> Iterator[str]:
        yield from question


@pytest.mark.parametrize(
    "function",
    [
        items,
        items_async,
        functools.partial(items),
        functools.partial(functools.partial(items_async)),
        Items(),
        Items().method,
        functools.partial(Items()),
        outlay.track(feature="x")(items),
    ],
)
def test_generator_functions_are_refused_in_every_dress(function: Any) -> None:
    for decorate in (outlay.cached, outlay.SemanticCache(lambda text: [1.0])):
        with pytest.raises(TypeError, match="once"):
            decorate(function)


GIVES: dict[str, Callable[[str], Any]] = {
    "generator": lambda question: items(question),
    "iterator": lambda question: iter(question),
    "map": lambda question: map(str.upper, question),
}


@pytest.mark.parametrize("cache", ["exact", "semantic"])
@pytest.mark.parametrize("kind", GIVES)
def test_what_can_be_read_once_is_every_callers_own(
    kind: str, cache: str, sent: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    decorate: Any = outlay.cached if cache == "exact" else outlay.SemanticCache(lambda text: [1.0])
    ask = decorate(GIVES[kind])
    expected = list(GIVES[kind]("ab"))
    assert [list(ask("ab")), list(ask("ab"))] == [expected, expected]

    async def later(question: str) -> Any:
        return GIVES[kind](question)

    async def main() -> None:
        ask_async = decorate(later)
        assert [list(await ask_async("ab")), list(await ask_async("ab"))] == [expected, expected]
        stream = decorate(lambda question: items_async(question))
        for _ in range(2):
            assert [letter async for letter in stream("ab")] == ["a", "b"]

    asyncio.run(main())


def test_a_cached_cascade_answers_without_its_tiers(sent: Capture) -> None:
    made = []

    def small(question: str) -> str:
        made.append(question)
        return question.upper()

    cascade = outlay.Cascade("answer", [small], accept=bool)
    ask: Any = outlay.cached(cascade)
    assert (ask("q"), ask("q"), ask("q", task="x")) == ("Q", "Q", "Q")
    assert made == ["q", "q"]
    assert [span.name for span in sent.spans if "outlay.cache.hit" in span.attributes] == ["cache answer"] * 3
