"""Many callers of one key at once, and whatever a call may give: shown with events, never with time."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import outlay
from outlay.optimizations.rules import is_bypassed
from outlay.optimizations.single_flight import Flights
from outlay.testing import Capture, capture

CALLERS = 20
PATIENCE_S = 30  # of a test for a thread that never comes


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


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


# --- what a call gives


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
