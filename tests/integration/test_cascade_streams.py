"""Cascades whose tiers stream, over a real client and by hand: judged by the whole or the first part."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

import openai
import pytest
from tests.fake_provider import Answer, FakeProvider
from tests.waiting import until

import outlay
from outlay.testing import Capture


def outcomes(sent: Capture) -> list[str]:
    return [
        span.attributes["outlay.cascade.outcome"] for span in sent.spans if "outlay.cascade.outcome" in span.attributes
    ]


class Source:
    """Streams of which is known how far they were read and whether they were closed."""

    def __init__(self, *parts: Any) -> None:
        self.parts, self.read, self.closed = parts, 0, False

    def sync(self) -> Iterator[Any]:
        try:
            for part in self.parts:
                self.read += 1
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.closed = True

    async def later(self) -> AsyncIterator[Any]:
        try:
            for part in self.parts:
                await asyncio.sleep(0)
                self.read += 1
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.closed = True


DRESSES = ["generator", "lambda", "async generator", "coroutine"]


def tier(source: Source, dress: str) -> Any:
    def generator(question: str) -> Iterator[Any]:
        yield from source.sync()

    async def async_generator(question: str) -> AsyncIterator[Any]:
        async for part in source.later():
            yield part

    async def coroutine(question: str) -> AsyncIterator[Any]:
        return source.later()

    found: dict[str, Any] = {
        "generator": generator,
        "lambda": lambda question: source.sync(),
        "async generator": async_generator,
        "coroutine": coroutine,
    }
    return found[dress]


def run(cascade: Any, dress: str, most: int = 99) -> list[Any]:
    """The parts that the caller reads."""
    if dress in ("generator", "lambda"):
        return list(islice(cascade("?"), most))

    async def main() -> list[Any]:
        found = []
        async for part in await cascade("?"):
            found.append(part)
            if len(found) == most:
                break
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("dress", DRESSES)
def test_the_first_part_decides_and_the_rest_is_the_providers_own_stream(dress: str, sent: Capture) -> None:
    unsure, sure = Source("hm", "so", "la"), Source("yes", "it", "is", ValueError("cut"))
    judged: list[Any] = []

    def accept(first: str) -> bool:
        judged.append(first)
        return first == "yes"

    cascade: Any = outlay.Cascade("c", [tier(unsure, dress), tier(sure, dress)], accept=accept, stream="first")
    assert run(cascade, dress, most=2) == ["yes", "it"]
    assert judged == ["hm", "yes"]
    assert (unsure.read, unsure.closed, sure.read) == (1, True, 2)  # nothing is read ahead
    assert outcomes(sent) == ["escalated", "accepted"]
    with pytest.raises(ValueError, match="cut"):  # what breaks later is the caller's
        run(outlay.Cascade("c", [tier(Source("yes", ValueError("cut")), dress)], accept=accept, stream="first"), dress)


@pytest.mark.parametrize("dress", DRESSES)
def test_the_whole_decides_and_its_parts_are_given_as_they_were(dress: str, sent: Capture) -> None:
    parts = [["a"], {"b": 1}, None]
    broken, unsure, sure = Source("x", ValueError("cut")), Source("not", "sure"), Source(*parts)
    judged: list[Any] = []

    def accept(whole: list[Any]) -> float:
        judged.append(whole)
        return 0.2 if "sure" in whole else 0.9

    tiers = [tier(source, dress) for source in (broken, unsure, sure)]
    cascade: Any = outlay.Cascade("c", tiers, accept=accept, threshold=0.8, stream="whole")
    found = run(cascade, dress)
    assert all(one is other for one, other in zip(found, parts, strict=True))
    assert judged == [["not", "sure"], parts]
    assert outcomes(sent) == ["failed", "escalated", "accepted"]
    fallback: Any = outlay.Cascade(
        "f",
        [tier(Source("not", "sure"), dress), tier(Source(ValueError("down")), dress)],
        accept=accept,
        stream="whole",
    )
    assert run(fallback, dress) == ["not", "sure"]  # whole answers stay in hand


def test_an_empty_stream_has_no_first_part(sent: Capture) -> None:
    cascade = outlay.Cascade(
        "c", [lambda: iter(()), lambda: iter("x")], accept=lambda first: first is not None, stream="first"
    )
    assert list(cascade()) == ["x"]


@pytest.mark.parametrize("mode", ["whole", "first"])
def test_a_clients_stream_is_metered_and_keeps_its_attributes(mode: Any, sent: Capture) -> None:
    with FakeProvider() as provider:
        provider.queue(*[Answer(text="not sure", input_tokens=300, output_tokens=50, model="gpt-4o-mini")])
        provider.queue(*[Answer(text="surely yes", input_tokens=300, output_tokens=50, model="gpt-4o")])
        with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as client:

            def ask(model: str, question: str) -> Any:
                return client.chat.completions.create(
                    model=model,
                    messages=[{"role": "user", "content": question}],
                    stream=True,
                    stream_options={"include_usage": True},
                )

            def accept(seen: Any) -> bool:
                chunks = seen if isinstance(seen, list) else [seen]
                return "gpt-4o" in {chunk.model for chunk in chunks}

            cascade = outlay.Cascade("c", [lambda q: ask("s", q), lambda q: ask("l", q)], accept=accept, stream=mode)
            with cascade("Is it?") as stream:
                assert stream.response.status_code == 200
                text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "surely yes"
    assert outcomes(sent) == ["escalated", "accepted"]
    large = sent.calls[-1].attributes
    assert (large["gen_ai.usage.input_tokens"], large["gen_ai.usage.output_tokens"]) == (300, 50)
    assert large["outlay.stream.end"] == "complete"


def test_what_does_not_stream_is_refused_or_fails(sent: Capture) -> None:
    def yields(question: str) -> Iterator[str]:
        yield question

    with pytest.raises(ValueError, match="stream is whole or first, not 'last'"):
        outlay.Cascade("c", [yields], accept=bool, stream="last")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="yields; a tier returns one answer"):
        outlay.Cascade("c", [yields], accept=bool)
    with pytest.raises(TypeError, match="gives a stream, not str"):
        outlay.Cascade("c", [lambda question: "text"], accept=bool, stream="whole")("?")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_that_comes_too_late_is_closed(is_async: bool, sent: Capture) -> None:
    late, sure = Source("late", "and", "long"), Source("yes")
    may = threading.Event()

    def slow(question: str) -> Iterator[Any]:
        may.wait(60)
        return late.sync()

    async def async_tier(question: str) -> AsyncIterator[Any]:
        return sure.later()

    second: Any = async_tier if is_async else lambda question: sure.sync()
    cascade = outlay.Cascade("c", [slow, second], accept=bool, stream="first", timeout_s=[0.01, None])
    assert run(cascade, "coroutine" if is_async else "lambda") == ["yes"]
    may.set()
    until(lambda: late.closed, "closed")


def test_a_stream_whose_tier_is_cut_off_in_the_middle_is_closed(sent: Capture) -> None:
    class Stuck:
        closed = False

        def __aiter__(self) -> Stuck:
            return self

        async def __anext__(self) -> str:
            await asyncio.Event().wait()
            raise AssertionError

        async def aclose(self) -> None:
            self.closed = True

    stuck, sure = Stuck(), Source("yes")

    async def first(question: str) -> Any:
        return stuck

    async def second(question: str) -> Any:
        return sure.later()

    cascade = outlay.Cascade("c", [first, second], accept=bool, stream="whole", timeout_s=[0.01, None])
    assert run(cascade, "coroutine") == ["yes"]
    assert stuck.closed


def test_a_stream_can_be_asked_for_anything_also_while_it_is_copied(sent: Capture) -> None:
    class Stream:
        request_id = "r1"

        def __iter__(self) -> Iterator[str]:
            return iter(["a", "b"])

    cascade = outlay.Cascade("c", [lambda question: Stream()], accept=bool, stream="first")
    found: Any = cascade("?")
    assert list(copy.copy(found)) == ["a", "b"]
    assert not hasattr(found, "gone")


def test_without_threads_a_limited_tier_answers_all_the_same(sent: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert outlay.Cascade("c", [lambda question: "yes"], accept=bool, timeout_s=30)("?") == "yes"
    monkeypatch.undo()
