"""The levers in the hands of somebody who read nothing but the docstring: async, methods, mistakes, failures."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import outlay
from outlay.optimizations.router import Rule
from outlay.testing import Capture, capture


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


def call(model: str = "gpt-4o", tokens: int = 10) -> None:
    """A call of a made-up client."""
    outlay.record(usage={"input_tokens": tokens, "output_tokens": 2}, model=model, provider="openai")


def hits(sent: Capture) -> list[bool]:
    return [span.attributes["outlay.cache.hit"] for span in sent.spans if "outlay.cache.hit" in span.attributes]


def outcomes(sent: Capture) -> list[str]:
    found = [span.attributes.get("outlay.cascade.outcome") for span in sent.spans]
    return [outcome for outcome in found if outcome]


async def aplain(question: str) -> str:
    return question


def plain(question: str) -> str:
    return question


def stream(question: str) -> Iterator[str]:
    yield question


async def astream(question: str) -> AsyncIterator[str]:
    yield question


class AsyncRedis:
    """The part of redis.asyncio that a cache needs: values are text, and every command is awaited."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def execute_command(self, *command: Any) -> Any:
        await asyncio.sleep(0)
        if command[0] == "GET":
            return self.kept.get(command[1])
        self.kept[command[1]] = command[2]
        return True

    def get(self, key: str) -> Any:
        return self.execute_command("GET", key)

    def set(self, key: str, value: str) -> Any:
        return self.execute_command("SET", key, value)

    def setex(self, key: str, seconds: int, value: str) -> Any:
        return self.execute_command("SET", key, value)


# --- caches


def test_an_async_redis_client_serves_async_functions(sent: Capture) -> None:
    store, made = AsyncRedis(), []

    @outlay.cached(store=store, ttl_s=60)
    async def answer(question: str) -> str:
        call(tokens=700)
        made.append(question)
        return question.upper()

    async def main() -> list[str]:
        return [await answer("a"), await answer("a"), *await asyncio.gather(answer("b"), answer("b"))]

    assert asyncio.run(main()) == ["A", "A", "B", "B"]
    assert made == ["a", "b"]
    assert len(store.kept) == 2
    assert sorted(hits(sent)) == [False, False, True, True]


def test_a_semantic_cache_serves_coroutine_functions_methods_and_several_functions(sent: Capture) -> None:
    async def embed(text: str) -> list[float]:
        await asyncio.sleep(0)
        return [1.0, 0.1] if "up" in text else [0.0, 1.0]

    cache, made = outlay.SemanticCache(embed), []

    class Bot:
        @cache
        async def answer(self, question: str, language: str = "en") -> str:
            made.append(question)
            return f"{language}: {question}"

    @cache
    async def shorten(question: str) -> str:
        return question[:2]

    async def main() -> list[str]:
        bot = Bot()
        return [
            *await asyncio.gather(bot.answer("What is up?"), bot.answer("What is up?")),
            await Bot().answer("up?"),
            await bot.answer("Price?"),
            await bot.answer("What is up?", language="de"),  # another question, however similar its words
            await shorten("up?"),  # another function
        ]

    first = "en: What is up?"
    assert asyncio.run(main()) == [first, first, first, "en: Price?", "de: What is up?", "up"]
    assert made == ["What is up?", "Price?", "What is up?"]
    assert hits(sent) == [False, True, True, False, False, False]


def test_a_semantic_cache_takes_a_mapping_or_a_vector_database(sent: Capture) -> None:
    class Database:
        def __init__(self) -> None:
            self.kept: list[tuple[list[float], str, Any]] = []

        def nearest(self, vector: list[float], scope: str) -> tuple[Any, float] | None:
            return next(((entry, 0.99) for other, where, entry in self.kept if (other, where) == (vector, scope)), None)

        def add(self, vector: list[float], scope: str, entry: Any) -> None:
            self.kept.append((vector, scope, entry))

    stores: list[Any] = [{}, Database()]
    for store in stores:
        cache = outlay.SemanticCache(lambda text: [1.0, float(len(text))], store=store)
        answers = [cache(plain)("a"), cache(plain)("b")]  # decorated twice, as after a restart
        assert answers == ["a", "a"]
    assert hits(sent) == [False, True] * 2


def test_a_broken_store_or_key_costs_a_lookup_and_no_answer(sent: Capture) -> None:
    class Broken(dict[str, Any]):
        def get(self, *key: Any) -> Any:
            raise ConnectionError

        def items(self) -> Any:
            raise ConnectionError

    assert outlay.cached(store=Broken())(plain)("x") == "x"
    assert outlay.cached(key=lambda question: question.missing)(plain)("x") == "x"
    assert outlay.SemanticCache(lambda text: [1.0], store=Broken())(plain)("x") == "x"
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert outlay.cached(plain)(deep) is deep


def test_a_hit_names_the_model_that_did_most(sent: Capture) -> None:
    @outlay.cached
    def answer(question: str) -> str:
        outlay.record(usage={"input_tokens": 900, "output_tokens": 80}, model="gpt-4o", provider="openai")
        outlay.record(usage={"input_tokens": 7}, model="embed", provider="openai", operation="embeddings")
        return question

    answer("x"), answer("x")
    avoided = next(span.attributes for span in sent.spans if span.attributes.get("outlay.cache.hit"))
    assert avoided["gen_ai.request.model"] == "gpt-4o"
    assert avoided["outlay.cache.avoided.input_tokens"] == 900


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_finds_no_lock_closed(sent: Capture) -> None:
    inside, leave = threading.Event(), threading.Event()

    @outlay.cached
    def answer(question: str) -> str:
        inside.set()
        leave.wait(60)
        return question

    held = threading.Thread(target=answer, args=("x",))
    held.start()
    inside.wait(60)
    child = os.fork()
    if child == 0:
        leave.set()
        os._exit(0 if answer("x") == "x" else 1)
    deadline = threading.Timer(10, os.kill, (child, 9))
    deadline.start()
    _, status = os.waitpid(child, 0)
    deadline.cancel()
    leave.set()
    held.join()
    assert status == 0


# --- cascades


def test_calling_a_cascade_of_async_tiers_gives_an_awaitable(sent: Capture) -> None:
    async def judge(answer: str) -> float:
        return 0.2

    cascade = outlay.Cascade("c", [aplain, aplain], accept=judge, threshold=0.8)
    assert asyncio.run(cascade("x")) == "x"
    assert outcomes(sent) == ["escalated", "accepted"]
    with pytest.raises(TypeError, match="async"):
        cascade.run("x")  # type: ignore[unused-coroutine]


def test_a_judge_that_fails_does_not_cost_the_answer(sent: Capture) -> None:
    judge: Any = lambda answer: answer["confidence"]  # noqa: E731
    cascade = outlay.Cascade("c", [plain, plain], accept=judge, threshold=0.5)
    assert cascade("x") == "x"
    assert outcomes(sent) == ["escalated", "accepted"]


# --- the others


def test_a_rule_that_fails_does_not_match(sent: Capture) -> None:
    router = outlay.Router(
        {"small": 1, "large": 2}, [Rule("small", when=lambda facts: facts["plan"] == "free")], default="large"
    )
    assert router.choose(task="x").tier == "large"
    assert router.choose(task="x", plan="free").tier == "small"
    assert outlay.Router({"a": 1}, [Rule("a", min_complexity=0.5)]).choose(complexity="high").tier == "a"  # type: ignore[arg-type]


def test_prompt_parts_take_messages_as_they_are(sent: Capture) -> None:
    history = [
        {"role": "user", "content": "x" * 40},
        {"role": "assistant", "content": [{"type": "text", "text": "y" * 40}]},
    ]
    with outlay.prompt_parts(system="s" * 40, history=history, documents=("d" * 20, "d" * 20), tools=None, user=5):
        call()
    found = {key.split(".")[-2]: value for key, value in sent.calls[0].attributes.items() if ".part." in key}
    assert found == {"system": 10, "history": 20, "documents": 10, "user": 5}


def test_an_evaluation_awaits_in_one_loop_and_survives_a_failing_scorer(sent: Capture) -> None:
    loops = set()

    async def candidate(example: int) -> int:
        loops.add(asyncio.get_running_loop())
        outlay.record(usage={"input_tokens": 1000, "output_tokens": 1000}, model="gpt-4o", provider="openai")
        await asyncio.sleep(0.001)
        return example

    async def judge(output: int, example: int) -> bool:
        call("gpt-4o")  # costs money, but not the candidate's
        return output == example

    def strict(output: int, example: int) -> float:
        return 1 / (output - 2)

    found = outlay.evaluate(range(5), [candidate], [judge, strict], concurrency=4, progress=False)
    summary = found.summaries["candidate"]
    assert len(loops) == 1
    assert (summary.n, summary.errors, summary.scores["judge"].mean) == (5, 1, 1.0)
    assert [row.error for row in found.rows if row.error] == ["scorer strict: ZeroDivisionError: division by zero"]
    assert {row.cost_usd for row in found.rows} == {found.rows[0].cost_usd}
    assert len(sent.scores) == 9
    assert {span.trace_id for span in sent.spans if span.name == "chat gpt-4o"} == {
        span.trace_id for span in sent.spans if span.name == "evaluate candidate"
    }


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda: outlay.cached(stream), TypeError),
        (lambda: outlay.cached()(astream), TypeError),
        (lambda: outlay.cached(ttl_s=0), ValueError),
        (lambda: outlay.cached(max_entries=0), ValueError),
        (lambda: outlay.cached(store=[]), TypeError),
        (lambda: outlay.cached(store=AsyncRedis())(plain), TypeError),
        (lambda: outlay.SemanticCache("embed"), TypeError),  # type: ignore[arg-type]
        (lambda: outlay.SemanticCache(lambda text: [1.0], store=AsyncRedis()), TypeError),  # type: ignore[arg-type]
        (lambda: outlay.SemanticCache(lambda text: [1.0])(stream), TypeError),
        (lambda: outlay.SemanticCache(lambda text: [1.0])(lambda: "x"), TypeError),
        (lambda: outlay.SemanticCache(aplain)(plain), TypeError),
        (lambda: outlay.Cascade("c", ["gpt-4o"], accept=bool), TypeError),  # type: ignore[arg-type]
        (lambda: outlay.Cascade("c", [plain], accept=bool, threshold="0.8"), TypeError),  # type: ignore[call-overload]
        (lambda: outlay.Cascade("c", [plain], accept=bool, threshold=float("nan")), ValueError),
        (lambda: outlay.Cascade("c", [plain], accept=bool, fallback="dear"), ValueError),  # type: ignore[call-overload]
        (lambda: outlay.Cascade("c", [stream], accept=bool), TypeError),
        (lambda: outlay.Router({"cheap": 1, "dear": 2}), ValueError),
        (lambda: outlay.assign("e", "u", "control"), ValueError),
        (lambda: outlay.assign("e", "u", {"a": float("nan")}), ValueError),
        (lambda: outlay.evaluate([1], [plain, plain], [len], progress=False), ValueError),  # type: ignore[list-item]
        (lambda: outlay.evaluate([1], {"a": "gpt-4o"}, [len], progress=False), TypeError),  # type: ignore[dict-item, list-item]
        (lambda: outlay.estimate("openai", "gpt-4o", {"input_tokens": 1, "output_tokens": 1}, cascade={}), ValueError),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_written(wrong: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        wrong()


def test_a_unit_may_be_any_text() -> None:
    assert outlay.assign("e", "half a pair \ud83d") in ("control", "treatment")


# --- the decorator


def test_the_decorator_takes_methods_of_classes_partials_and_hidden_coroutines(sent: Capture) -> None:
    def hides(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: function(*args)

    class Tool:
        @outlay.track(feature="class")
        @classmethod
        def make(cls) -> str:
            call()
            return cls.__name__

        @outlay.track
        @staticmethod
        def help() -> str:
            call()
            return "help"

    async def slow(model: str) -> str:
        await asyncio.sleep(0)
        call(model)
        return model

    async def main() -> list[str]:
        return [
            await outlay.track(feature="partial")(functools.partial(slow, "p"))(),
            await outlay.track(feature="hidden")(hides(slow))("h"),
        ]

    assert (Tool.make(), Tool.help(), Tool().make()) == ("Tool", "help", "Tool")
    assert asyncio.run(main()) == ["p", "h"]
    assert [span.attributes.get("outlay.feature") for span in sent.calls] == [
        "class",
        None,
        "class",
        "partial",
        "hidden",
    ]
    spans = {span.span_id: span for span in sent.spans}
    for found in sent.calls:
        parent = spans[found.parent_span_id]
        assert parent.start_ns <= found.start_ns <= found.end_ns <= parent.end_ns
