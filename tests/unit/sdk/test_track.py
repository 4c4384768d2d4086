"""The decorator and context manager, the tags, and what they leave alone."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import outlay
from outlay import semconv
from outlay.testing import Capture, CountingIds, FakeClock, capture


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture() as captured:
        yield captured


def call(**facts: Any) -> outlay.Call | None:
    """A call recorded inside whatever runs."""
    return outlay.record(usage={"input_tokens": 10, "output_tokens": 2}, model="m", provider="p", **facts)


def test_a_sync_function_is_a_span_around_its_calls(sent: Capture) -> None:
    @outlay.track(feature="triage")
    def triage(ticket: str) -> str:
        call()
        return ticket.upper()

    assert triage("x") == "X"
    inner, outer = sent.spans
    assert inner.parent_span_id == outer.span_id
    assert inner.trace_id == outer.trace_id
    assert outer.name.endswith("triage")
    assert inner.attributes["outlay.feature"] == outer.attributes["outlay.feature"] == "triage"


def test_the_bare_decorator_works_and_keeps_the_signature(sent: Capture) -> None:
    @outlay.track
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    assert add(1) == 3
    assert add.__doc__ == "Adds."
    assert list(inspect.signature(add).parameters) == ["a", "b"]
    assert len(sent.spans) == 1


def test_a_coroutine_function_stays_one(sent: Capture) -> None:
    @outlay.track(feature="async")
    async def work() -> int:
        await asyncio.sleep(0)
        call()
        return 7

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work()) == 7
    assert [span.attributes["outlay.feature"] for span in sent.spans] == ["async", "async"]


def test_a_generator_does_not_leak_its_feature_to_its_caller(sent: Capture) -> None:
    @outlay.track(feature="inside")
    def pieces() -> Iterator[int]:
        call()
        received = yield 1
        call()
        assert received == "hello"
        return

    assert inspect.isgeneratorfunction(pieces)
    generator: Any = pieces()
    assert next(generator) == 1
    call()  # between two pieces: the caller's own
    with pytest.raises(StopIteration):
        generator.send("hello")
    features = [span.attributes.get("outlay.feature") for span in sent.calls]
    assert features == ["inside", None, "inside"]
    outer = sent.spans[-1]
    assert sent.calls[1].parent_span_id == ""
    assert {sent.calls[0].parent_span_id, sent.calls[2].parent_span_id} == {outer.span_id}


def test_tags_inside_a_generator_hold_across_its_pieces(sent: Capture) -> None:
    @outlay.track(feature="f")
    def pieces() -> Iterator[int]:
        with outlay.tags(user="u1"):
            yield 1
            call()
        call()

    assert list(pieces()) == [1]
    assert [span.attributes.get("user.id") for span in sent.calls] == ["u1", None]


def test_an_abandoned_generator_ends_its_span(sent: Capture) -> None:
    @outlay.track(feature="f")
    def pieces() -> Iterator[int]:
        yield 1
        yield 2

    for _ in pieces():
        break
    assert [span.error for span in sent.spans] == [False]


def test_an_async_generator_is_tracked_like_a_generator(sent: Capture) -> None:
    @outlay.track(feature="agen")
    async def pieces() -> AsyncIterator[int]:
        call()
        yield 1
        call()
        yield 2

    async def main() -> list[int]:
        found = []
        async for piece in pieces():
            call()
            found.append(piece)
        return found

    assert inspect.isasyncgenfunction(pieces)
    assert asyncio.run(main()) == [1, 2]
    assert [span.attributes.get("outlay.feature") for span in sent.calls] == ["agen", None, "agen", None]


def test_an_exception_passes_through_and_marks_the_span_without_its_message(sent: Capture) -> None:
    @outlay.track(feature="f")
    def fails() -> None:
        raise ValueError("secret prompt")

    with pytest.raises(ValueError, match="secret prompt"):
        fails()
    (span,) = sent.spans
    assert span.error
    assert span.attributes["error.type"] == "ValueError"
    assert not any("secret" in str(value) for value in span.attributes.values())


def test_the_inner_feature_wins_unless_it_inherits(sent: Capture) -> None:
    with outlay.track(feature="outer", team="growth"):
        with outlay.track(feature="inner"):
            call()
        with outlay.track(feature="inner", inherit=True):
            call()
        with outlay.track():
            call()
    assert [span.attributes["outlay.feature"] for span in sent.calls] == ["inner", "outer", "outer"]
    assert {span.attributes["outlay.team"] for span in sent.calls} == {"growth"}


def test_tags_reach_every_attribute_they_have(sent: Capture) -> None:
    with outlay.tags(
        user="u1",
        customer="acme",
        team="growth",
        session="s1",
        prompt="triage",
        prompt_version=14,
        plan="pro",
        nothing=None,
    ):
        call()
    attributes = sent.calls[0].attributes
    assert attributes["user.id"] == "u1"
    assert attributes["outlay.customer"] == "acme"
    assert attributes["outlay.team"] == "growth"
    assert attributes["session.id"] == "s1"
    assert attributes["gen_ai.prompt.name"] == "triage"
    assert attributes["outlay.prompt.version"] == "14"
    assert attributes["outlay.tag.plan"] == "pro"
    assert "outlay.tag.nothing" not in attributes


def test_threads_belong_to_the_function_that_starts_them(sent: Capture) -> None:
    import concurrent.futures

    with outlay.track(feature="threads"), ThreadPoolExecutor(2) as pool:
        concurrent.futures.wait([pool.submit(call), pool.submit(call)])
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

        async def in_executor() -> None:
            await asyncio.get_running_loop().run_in_executor(pool, call)
            await asyncio.to_thread(call)

        asyncio.run(in_executor())
        pool_after = pool
        del pool_after
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()
    assert [span.attributes.get("outlay.feature") for span in sent.calls] == ["threads"] * 5 + [None]


def test_a_pool_that_starts_inside_a_feature_does_not_keep_it(sent: Capture) -> None:
    pool = ThreadPoolExecutor(1)
    with outlay.track(feature="first"):
        pool.submit(call).result()
    pool.submit(call).result()
    pool.shutdown()
    assert [span.attributes.get("outlay.feature") for span in sent.calls] == ["first", None]


def test_usage_is_read_from_what_an_unknown_client_returns(sent: Capture) -> None:
    class Details:
        def __init__(self) -> None:
            self.cached_tokens = 128

    class Tokens:
        def __init__(self) -> None:
            self.prompt_tokens, self.completion_tokens, self.total_tokens = 412, 220, 632
            self.prompt_tokens_details = Details()

    class Response:
        def __init__(self) -> None:
            self.id, self.model, self.usage = "chatcmpl-1", "gpt-4o-2024-11-20", Tokens()

    response = Response()

    @outlay.track(feature="odd-client")
    def ask() -> Response:
        return response

    assert ask() is response
    (span,) = sent.calls
    assert span.attributes[semconv.INPUT_TOKENS] == 412
    assert span.attributes[semconv.CACHE_READ_TOKENS] == 128
    assert span.attributes[semconv.OUTPUT_TOKENS] == 220
    assert span.attributes[semconv.RESPONSE_MODEL] == "gpt-4o-2024-11-20"
    assert span.attributes[semconv.RESPONSE_ID] == "chatcmpl-1"


def test_compaction_counts_in_what_an_unknown_client_returns(sent: Capture) -> None:
    step = SimpleNamespace(type="compaction", input_tokens=180_000, output_tokens=3_500)
    usage = SimpleNamespace(
        input_tokens=23_000, output_tokens=1_000, cache_read_input_tokens=0, iterations=[step, {"type": "message"}]
    )

    @outlay.track(feature="odd-client")
    def ask() -> SimpleNamespace:
        return SimpleNamespace(id="msg_1", model="claude-sonnet-4-6", usage=usage)

    ask()
    (span,) = sent.calls
    assert (span.attributes[semconv.INPUT_TOKENS], span.attributes[semconv.OUTPUT_TOKENS]) == (203_000, 4_500)


def test_usage_is_not_read_twice_when_the_call_inside_was_metered(sent: Capture) -> None:
    @outlay.track(feature="f")
    def ask() -> dict[str, Any]:
        call()
        return {"usage": {"prompt_tokens": 10, "completion_tokens": 2}, "model": "m"}

    ask()
    assert len(sent.calls) == 1


def test_other_instrumentations_spans_get_the_tags() -> None:
    provider = TracerProvider()
    with capture(tracer_provider=provider) as sent:
        tracer = provider.get_tracer("some.instrumentation")
        with outlay.track(feature="f"), outlay.tags(user="u1"), tracer.start_as_current_span("theirs"):
            pass
        theirs = next(span for span in sent.spans if span.scope == "some.instrumentation")
    assert theirs.attributes == {"outlay.feature": "f", "user.id": "u1"}


def test_a_sampler_of_the_application_does_not_drop_the_call() -> None:
    with capture(tracer_provider=TracerProvider(sampler=ALWAYS_OFF)) as sent:
        with outlay.track(feature="f"):
            call()
        assert [span.attributes["outlay.feature"] for span in sent.calls] == ["f"]
        assert len(sent.spans) == 2


def test_switched_off_means_untouched() -> None:
    with capture(disabled=True) as sent:

        @outlay.track(feature="f")
        def work() -> int:
            return 3

        with outlay.track(feature="x") as frame:
            frame.set(user="u")
            assert call() is None
        outlay.score("s", 1.0)
        assert work() == 3
    assert sent.sender.requests == []


def test_past_traces_have_parents_in_the_past() -> None:
    day = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with capture(ids=CountingIds()) as sent:
        with outlay.track("nightly", feature="backfill", started_at=day, ended_at=day + timedelta(minutes=1)):
            call(started_at=day + timedelta(seconds=1), ended_at=day + timedelta(seconds=3, microseconds=250))
        inner, outer = sent.spans
    assert (outer.name, outer.trace_id, inner.trace_id) == ("nightly", "0" * 31 + "1", "0" * 31 + "1")
    assert inner.parent_span_id == outer.span_id
    assert outer.end_ns - outer.start_ns == 60_000_000_000
    assert inner.end_ns - inner.start_ns == 2_000_250_000
    assert inner.start_ns == 1772366401_000_000_000


def test_the_same_code_gives_the_same_spans_with_counting_ids_and_a_fake_clock() -> None:
    def run() -> list[Any]:
        with capture(ids=CountingIds(), clock=FakeClock()) as sent:
            with outlay.track(feature="f"):
                call()
            return sent.spans

    def comparable(spans: list[Any]) -> list[Any]:
        return [(s.trace_id, s.span_id, s.start_ns, s.end_ns, s.attributes) for s in spans]

    assert comparable(run()) == comparable(run())


def test_content_of_an_unknown_client_is_kept_only_when_asked_for() -> None:
    messages = [{"role": "user", "content": "card 4111"}]
    response = {
        "model": "m",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "choices": [{"message": {"content": "yes 4111"}}],
    }

    @outlay.track(feature="odd-client")
    def ask(messages: list[dict[str, str]]) -> dict[str, Any]:
        return response

    with capture() as sent:
        ask(messages)
        assert not any("messages" in key for key in sent.calls[0].attributes)
    with capture(capture_content=True, redact=lambda text: text.replace("4111", "****")) as sent:
        ask(messages)
        messages.append({"role": "assistant", "content": "later"})
        attributes = sent.calls[0].attributes
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "card ****"}]}
    ]
    (said,) = json.loads(attributes["gen_ai.output.messages"])
    assert said["parts"] == [{"type": "text", "content": "yes ****"}]


class Held:
    """Something that the application has in its context."""


def test_what_was_around_a_tracked_call_is_freed_with_it_and_waits_for_no_collector(sent: Capture) -> None:
    @outlay.track(feature="search")
    def search() -> int:
        return 1

    @outlay.track(feature="stream")
    def stream() -> Iterator[int]:
        yield search()

    def work() -> weakref.ref[Held]:
        held = Held()
        token = otel_context.attach(otel_context.set_value("held", held))
        search()
        assert list(stream()) == [1]
        with outlay.track(feature="block"):
            search()
        otel_context.detach(token)
        return weakref.ref(held)

    gc.disable()
    try:
        assert work()() is None
    finally:
        gc.enable()
