"""The decorator and context manager, the tags, and what they leave alone."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from tests.tracked_calls import call

import outlay
from outlay.testing import Capture, CountingIds, FakeClock, capture


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
