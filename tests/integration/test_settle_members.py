"""Spans of one request, in whatever number and wherever they lie: one call with the best word on everything."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.settle_world import World, usage

SDK = "com.anthropic.sdk.python"
HOUR_MS = 3_600_000


def _four(world: World) -> dict[str, Callable[[], None]]:
    """Four spans of one request: an estimate outside, a wrapper that knows the feature, two that count half each."""
    estimate = {"outlay.usage.estimated": "true"}
    return {
        "outer": lambda: world.span("outer", {**usage(90, 9), **estimate, "outlay.feature": "f"}, took_ms=400),
        "wrapper": lambda: world.span(
            "wrapper",
            {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "outlay.tag.a": "1"},
            parent="outer",
            at_ms=1,
            took_ms=300,
        ),
        "library": lambda: world.span(
            "library",
            {**usage(90, 12, gen_ai__response__id="r"), "user.id": "u"},
            parent="wrapper",
            at_ms=2,
            took_ms=200,
            scope="langsmith",
        ),
        "native": lambda: world.span(
            "native",
            usage(90, 12, gen_ai__response__id="r", gen_ai__usage__cache_read__input_tokens=50),
            trace="another",
            at_ms=3,
            took_ms=150,
            scope=SDK,
        ),
    }


@pytest.mark.parametrize("seed", range(4))
def test_four_spans_of_one_request_are_one_call_in_any_order(world: World, seed: int) -> None:
    puts = list(_four(world).values())
    random.Random(seed).shuffle(puts)
    for put in puts:
        put()
        if seed % 2:
            world.settle()
    call = world.call()
    assert call["name"] == "native"
    assert (call["input_tokens"], call["cache_read_tokens"], call["output_tokens"]) == (90, 50, 12)
    assert (call["feature"], call["user"], call["tags"]) == ("f", "u", {"a": "1"})
    assert "estimated_usage" not in call["flags"]
    assert set(world.repeats()) == {"outer", "wrapper", "library"}


@pytest.mark.parametrize("first", ["library", "native"])
@pytest.mark.parametrize(
    ("at_ms", "took_ms"),
    [(HOUR_MS - 100, 200), (HOUR_MS - 3000, 100), (10, 5 * HOUR_MS)],
    ids=["over the hour", "ends before the hour", "for hours"],
)
def test_two_traces_of_one_request_meet_whatever_the_hour(world: World, at_ms: int, took_ms: int, first: str) -> None:
    one = usage(100, 10, gen_ai__response__id="m")

    def library() -> None:
        world.span("library", one, trace="one", scope="langsmith", at_ms=at_ms, took_ms=took_ms)

    def native() -> None:
        world.span("native", one, trace="two", scope=SDK, at_ms=max(at_ms, HOUR_MS) + 50, took_ms=20)

    for put in (library, native) if first == "library" else (native, library):
        put()
        world.settle()
    assert world.call()["name"] == "native"
    assert world.repeats() == {"library": "same_response"}


def test_a_span_sent_again_with_another_start_is_one_call(world: World) -> None:
    world.span("parent", usage(100, 10, gen_ai__operation__name="invoke_agent"))
    world.span("call", usage(100, 10, gen_ai__response__id="r"), parent="parent", at_ms=HOUR_MS - 60_000)
    world.settle()
    again = usage(100, 10, gen_ai__response__id="r", gen_ai__response__model="gpt-4o-mini-2024-07-18")
    world.span("call", again, parent="parent", at_ms=HOUR_MS + 60_000, version=2)
    call = world.call()
    assert (call["started_at"].hour, call["response_model"]) == (13, "gpt-4o-mini-2024-07-18")
    assert world.repeats() == {"parent": "repeats_descendants"}


def test_a_stream_cut_at_the_client_is_completed_by_an_estimate_alone(world: World) -> None:
    answer = {"gen_ai.response.id": "x", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.operation.name": "chat"}
    world.span("outer", {**usage(1000, 50), **answer, "outlay.usage.estimated": "true"}, scope="outlay")
    world.span("inner", {**answer, "gen_ai.usage.input_tokens": "1000"}, parent="outer", scope=SDK, at_ms=1)
    call = world.call()
    assert (call["input_tokens"], call["output_tokens"], call["cost_state"]) == (1000, 50, "estimated")


@pytest.mark.parametrize("duration", ["12000000000", "nan", "inf", "-7200", "1e300"])
def test_a_duration_that_is_none_stops_nobody(world: World, duration: str) -> None:
    world.span("log", {"logfire.span_type": "log", "duration": duration}, trace="a", scope="logfire")
    tail = {"logfire.span_type": "log", "duration": duration, **usage(10, 5)}
    world.span("tail", tail, trace="b", scope="logfire.openai")
    world.span("call", usage(7, 3), trace="c")
    assert ("call", 7, 3) in world.counts()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("at_ms", [5_500, 20_000])
def test_what_is_one_request_does_not_depend_on_what_was_settled_together(
    world: World, at_ms: int, together: bool
) -> None:
    """A chain of spans lasts as long as those that carry the response's id, whoever looks at it."""
    world.span("framework", usage(100, 7), trace="app", took_ms=30_000, scope="langsmith")
    client = usage(100, 7, gen_ai__response__id="r1")
    world.span("client", client, trace="app", parent="framework", took_ms=1_000, scope=SDK)
    if not together:
        world.settle()
    world.span("gateway", usage(100, 7, gen_ai__response__id="r1"), trace="gateway", at_ms=at_ms, scope="gateway")
    assert len(world.calls()) == (1 if at_ms == 5_500 else 2)
