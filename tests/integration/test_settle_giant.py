"""Traces too large to be read whole: only what a change touches is settled again, and the calls are the same."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib import import_module

import pyarrow as pa
import pytest
from tests.settle_world import CHAT, Shared, World, new_world, usage

from outlay_collector import settle

AGENT = {"gen_ai.operation.name": "invoke_agent"}


@pytest.fixture
def world(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> World:
    """Every trace of more than six spans is a giant."""
    monkeypatch.setattr(settle, "GIANT_SPANS", 6)
    return new_world(shared)


def process(world: World, requests: int = 4) -> None:
    """A process-long trace: below its root one request after the other, each an agent above two calls."""
    world.span("process", {"outlay.feature": "worker"})
    for n in range(requests):
        world.span(f"agent {n}", {**usage(300 + 2 * n, 30), **AGENT}, parent="process", at_ms=1000 * n, took_ms=900)
        world.span(f"a{n}", usage(100 + n, 10), parent=f"agent {n}", at_ms=1000 * n + 1)
        world.span(f"b{n}", usage(200 + n, 20), parent=f"agent {n}", at_ms=1000 * n + 200)
    world.settle()


def test_a_run_reads_what_changed_and_what_is_above_it(world: World) -> None:
    process(world)
    assert len(world.calls()) == 8
    assert {row["feature"] for row in world.calls()} == {"worker"}
    world.span("new", usage(50, 5), parent="agent 3", at_ms=3500)
    world.settle()
    # The root, the agent, its three calls: of 14 spans.
    assert world.settler.spans_read == 5
    assert len(world.calls()) == 9


def test_a_late_child_takes_back_what_its_parent_was_charged_for(world: World) -> None:
    process(world)
    world.span("late agent", {**usage(70, 7), **AGENT}, parent="process", at_ms=20_000, took_ms=500)
    assert ("late agent", 70, 7) in world.counts()
    world.span("late call", usage(70, 7), parent="late agent", at_ms=20_001)
    assert ("late call", 70, 7) in world.counts()
    assert ("late agent", 70, 7) not in world.counts()
    assert world.repeats()["late agent"] == "repeats_descendants"
    assert len(world.calls()) == 9


def test_a_late_root_hands_down_what_is_inherited(world: World) -> None:
    for n in range(7):
        world.span(f"c{n}", usage(100 + n, 10), parent="root", at_ms=1000 * n)
    world.settle()
    assert {row["feature"] for row in world.calls()} == {"shop"}
    world.span("root", {"outlay.feature": "late"})
    assert {row["feature"] for row in world.calls()} == {"late"}
    assert len(world.calls()) == 7


def test_a_late_root_that_says_nothing_costs_nothing(world: World) -> None:
    for n in range(7):
        world.span(f"c{n}", usage(100 + n, 10), parent="root", at_ms=1000 * n)
    world.settle()
    world.span("root", {})
    world.settle()
    assert world.settler.spans_read == 1
    assert len(world.calls()) == 7


def test_one_request_seen_in_two_places_of_a_giant_is_one_call(world: World) -> None:
    process(world)
    here = usage(90, 9, gen_ai__response__id="resp-1")
    world.span("seen here", here, parent="agent 1", at_ms=1300, scope="openlit.x")
    assert len(world.calls()) == 9
    world.span("and here", here, parent="agent 2", at_ms=1301, scope="opentelemetry.instrumentation.genai.openai")
    assert len(world.calls()) == 9
    assert "same_response" in world.repeats().values()


def test_one_request_in_a_giant_and_elsewhere_is_one_call(world: World) -> None:
    process(world)
    here = usage(90, 9, gen_ai__response__id="resp-2")
    world.span("in the giant", here, parent="agent 1", at_ms=1300, scope="openlit.x")
    world.settle()
    world.span("elsewhere", here, trace="other", at_ms=1301, scope="opentelemetry.instrumentation.genai.openai")
    assert len(world.calls()) == 9
    assert list(world.repeats().values()).count("same_response") == 1


@pytest.mark.parametrize("first", ["host", "client"])
def test_a_client_s_span_beside_the_framework_s_is_the_same_call_in_a_giant_too(world: World, first: str) -> None:
    process(world)

    def put(name: str) -> None:
        if name == "host":
            world.span("host", CHAT, parent="process", at_ms=5_000, took_ms=500, scope="langsmith")
        else:
            world.span("client", usage(90, 9), parent="process", at_ms=5_100, took_ms=100, scope="outlay")
        world.settle()

    for name in sorted(("host", "client"), key=lambda one: one != first):
        put(name)
    assert ("client", 90, 9) in world.counts()
    assert len(world.calls()) == 9
    assert world.repeats()["host"] == "same_request"


@pytest.mark.parametrize("first", ["head", "tail"])
def test_a_stream_s_usage_finds_the_span_that_opened_it_in_a_giant_too(world: World, first: str) -> None:
    process(world)
    request = {"request_data": '{"model": "gpt-5", "stream": true}', "gen_ai.request.model": "gpt-5"}
    answer = {"response_data": '{"usage": {"prompt_tokens": 90, "completion_tokens": 9}}', "duration": "0.2"}
    spans = {
        "head": ({**request, "logfire.span_type": "span"}, 5_000),
        "tail": ({**request, **answer, "logfire.span_type": "log"}, 5_205),
    }
    for name in sorted(spans, key=lambda one: one != first):
        attributes, at_ms = spans[name]
        world.span(name, attributes, parent="process", at_ms=at_ms, took_ms=5, scope="logfire.openai")
        world.settle()
    assert len(world.calls()) == 9
    assert "stream_usage" in world.repeats().values()


def test_a_span_of_a_giant_that_is_sent_again_with_another_start_is_one_call(world: World) -> None:
    process(world)
    world.span("late", usage(90, 9), parent="process", at_ms=5_000)
    world.settle()
    world.span("late", usage(95, 9), parent="process", at_ms=2 * 3_600_000, version=2)
    assert [row for row in world.counts() if row[0] == "late"] == [("late", 95, 9)]
    assert len(world.calls()) == 9


def test_a_trace_over_many_hours_is_read_in_parts(world: World) -> None:
    day = 24 * 3_600_000
    world.span("session", {"outlay.customer": "acme"})
    for n in range(3):
        world.span(f"turn {n}", usage(100 + n, 10), parent="session", at_ms=n * day)
        world.settle()
    assert world.settler.spans_read == 2
    assert [row["customer"] for row in world.calls()] == ["acme"] * 3


def test_traces_of_spans_a_year_apart_are_read_a_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = import_module("outlay_collector.settle.gather")  # the package has a function of that name
    by_hour = gathering._by_hour
    asked: list[int] = []
    monkeypatch.setattr(gathering, "MAX_HOURS_AT_ONCE", 10_000)

    def counted(lie: pa.Table) -> pa.Table:
        hours: pa.Table = by_hour(lie)
        asked.append(len(hours))
        return hours

    monkeypatch.setattr(gathering, "_by_hour", counted)
    year_ms = 365 * 24 * 3_600_000
    for n in range(5):
        world.span(f"first {n}", usage(100 + n, 10), trace=f"t{n}")
        world.span(f"last {n}", usage(200 + n, 10), trace=f"t{n}", at_ms=year_ms)
    assert len(world.calls()) == 10
    assert sum(asked) > 40_000
    assert max(asked) < 20_000


def test_a_score_of_a_giant_marks_its_hours_and_reads_no_span_again(world: World) -> None:
    process(world)
    marked = "SELECT max(changed_at) AS at FROM dirty_hours"
    before = world.store.query(marked)[0]["at"]
    writer = world.store.writer()
    trace = {"project": world.project, "trace_id": world.calls()[0]["trace_id"], "spans": 0}
    trace |= {"loader": world.project, "seq": time.time_ns()}
    writer.insert("dirty_traces", [trace | {"received_from": datetime(2100, 1, 1, tzinfo=UTC)}])
    writer.close()
    world.settle()
    assert world.settler.spans_read == 0
    assert world.store.query(marked)[0]["at"] > before
