"""Each request counts once: repeating parents, frameworks over providers, spans in two traces, retries, late spans."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.settle_world import CHAT, Shared, World, new_world, usage

from outlay_collector.prices.book import PriceBook
from outlay_collector.rollup.hours import Rollup
from outlay_collector.settle import Settler
from outlay_collector.store import Store

AGENT = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
}
SDK = "com.anthropic.sdk.python"


def agent(input_tokens: int, output_tokens: int) -> dict[str, str]:
    return {**usage(input_tokens, output_tokens), **AGENT}


def test_an_agent_that_repeats_the_sum_of_its_calls_is_no_call(world: World) -> None:
    world.span("agent", agent(300, 30))
    world.span("one", usage(100, 10), parent="agent", at_ms=1)
    world.span("two", usage(200, 20), parent="agent", at_ms=2)
    assert world.counts() == [("one", 100, 10), ("two", 200, 20)]
    assert world.repeats() == {"agent": "repeats_descendants"}


def test_an_agent_that_repeats_its_only_call_is_no_call(world: World) -> None:
    world.span("agent", agent(100, 10))
    world.span("step", {"gen_ai.operation.name": "execute_task"}, parent="agent", at_ms=1)
    world.span("one", usage(100, 10), parent="step", at_ms=2)
    assert world.counts() == [("one", 100, 10)]


def test_what_an_agent_says_beyond_its_calls_is_one_unattributed_call(world: World) -> None:
    world.span("agent", agent(1000, 100))
    world.span("one", usage(300, 30), parent="agent", at_ms=1)
    world.span("two", usage(200, 20), parent="agent", at_ms=2)
    rows = {row["name"]: row for row in world.calls()}
    assert (rows["agent"]["input_tokens"], rows["agent"]["output_tokens"]) == (500, 50)
    assert rows["agent"]["tags"] == {"unattributed": "true"}
    assert rows["one"]["tags"] == {}


def test_an_agent_with_nothing_below_it_is_the_call(world: World) -> None:
    world.span("agent", agent(100, 10))
    assert world.counts() == [("agent", 100, 10)]
    assert world.call()["tags"] == {}


def test_an_agent_that_shows_only_its_last_call_is_no_call(world: World) -> None:
    world.span("agent", agent(200, 20))
    world.span("one", usage(100, 10), parent="agent", at_ms=1)
    world.span("two", usage(200, 20), parent="agent", at_ms=2)
    assert world.counts() == [("one", 100, 10), ("two", 200, 20)]


def test_nested_agents_count_each_call_once(world: World) -> None:
    world.span("outer", agent(900, 90))
    world.span("inner", agent(300, 30), parent="outer", at_ms=1)
    world.span("one", usage(100, 10), parent="inner", at_ms=2)
    world.span("two", usage(400, 40), parent="outer", at_ms=3)
    # The inner agent knows of 200 more, the outer of another 200.
    assert sorted(world.counts()) == [("inner", 200, 20), ("one", 100, 10), ("outer", 200, 20), ("two", 400, 40)]


def test_a_surplus_belongs_to_the_one_call_that_has_no_usage(world: World) -> None:
    world.span("agent", agent(300, 30))
    world.span("one", usage(100, 10), parent="agent", at_ms=1)
    world.span("two", CHAT, parent="agent", at_ms=2)
    assert world.counts() == [("one", 100, 10), ("two", 200, 20)]
    assert "usage_from_parent" in world.calls()[1]["flags"]
    assert world.repeats() == {"agent": "repeats_descendants"}


@pytest.fixture
def alone(store: Store) -> Iterator[World]:
    """A world whose hours alone are rolled up."""
    settler = Settler(store, PriceBook(store))
    yield World(store, settler, store.writer())
    settler.close()


@pytest.mark.parametrize("roll_up_between", [False, True])
def test_a_late_child_retracts_what_its_parent_was_charged(alone: World, roll_up_between: bool) -> None:
    world = alone
    world.span("agent", agent(100, 10))
    before = world.spend()
    assert before > 0
    if roll_up_between:
        roll_up(world)
        assert rolled_spend(world) == before
    world.span("one", usage(100, 10), parent="agent", at_ms=1)
    assert world.counts() == [("one", 100, 10)]
    assert world.spend() == before
    roll_up(world)
    assert rolled_spend(world) == before


def roll_up(world: World) -> None:
    """Rebuild the hours that changed, as if they had been quiet for long."""
    rollup = Rollup(world.store)
    while rollup.run_once(datetime.now(UTC) + timedelta(minutes=10)):
        pass
    rollup.close()


def rolled_spend(world: World) -> Decimal:
    rows = world.query(
        "SELECT sum(cost_usd) AS usd, sum(calls) AS n FROM spend_hourly FINAL WHERE project = {p:String}"
    )
    assert rows[0]["n"] == 1
    return Decimal(rows[0]["usd"])


def test_a_framework_and_a_provider_span_of_one_request_are_one_call(world: World) -> None:
    world.span("framework", usage(100, 10), scope="openinference.instrumentation.langchain")
    world.span(
        "provider",
        {**usage(100, 10), "gen_ai.response.id": "r1"},
        parent="framework",
        at_ms=1,
        scope="opentelemetry.instrumentation.genai.openai",
    )
    assert world.call()["name"] == "provider"
    assert world.repeats() == {"framework": "same_request"}


def test_the_best_word_of_each_span_ends_up_on_the_call(world: World) -> None:
    world.span(
        "framework",
        {**usage(100, 10), "outlay.feature": "search", "gen_ai.usage.reasoning.output_tokens": "4"},
        scope="openinference.instrumentation.langchain",
    )
    world.span(
        "provider",
        {**usage(100, 10), "gen_ai.response.model": "gpt-4o-mini-2024-07-18"},
        parent="framework",
        at_ms=1,
        scope="opentelemetry.instrumentation.genai.openai",
    )
    call = world.call()
    assert (call["reasoning_tokens"], call["response_model"], call["feature"]) == (
        4,
        "gpt-4o-mini-2024-07-18",
        "search",
    )


def test_a_chat_under_a_chat_with_another_response_id_is_another_request(world: World) -> None:
    world.span("outer", usage(100, 10, gen_ai__response__id="a"))
    world.span("inner", usage(100, 10, gen_ai__response__id="b"), parent="outer", at_ms=1)
    assert world.counts() == [("outer", 100, 10), ("inner", 100, 10)]


def test_a_wrapper_with_the_last_of_several_calls_repeats_it(world: World) -> None:
    world.span("wrapper", usage(200, 20))
    world.span("one", usage(100, 10), parent="wrapper", at_ms=1, scope="a.provider")
    world.span("two", usage(200, 20), parent="wrapper", at_ms=50, scope="a.provider")
    assert {row["name"] for row in world.calls()} in ({"one", "two"}, {"one", "wrapper"})
    assert sum(row["input_tokens"] for row in world.calls()) == 300


def test_the_sdks_own_span_in_another_trace_is_joined_by_response_id(world: World) -> None:
    world.span(
        "library",
        usage(100, 12, gen_ai__response__id="msg_1"),
        trace="one",
        scope="opentelemetry.instrumentation.anthropic",
    )
    world.span("native", usage(100, 10, gen_ai__response__id="msg_1"), trace="two", scope=SDK, at_ms=5, took_ms=80)
    assert (world.call()["name"], world.call()["output_tokens"]) == ("native", 10)
    assert world.repeats() == {"library": "same_response"}


@pytest.mark.parametrize("first", ["library", "native"])
def test_the_order_in_which_two_traces_of_one_request_arrive_does_not_matter(world: World, first: str) -> None:
    def library() -> None:
        world.span(
            "library",
            {**usage(100, 10, gen_ai__response__id="m"), "outlay.feature": "f"},
            trace="one",
            scope="langsmith",
        )

    def native() -> None:
        world.span("native", usage(100, 10, gen_ai__response__id="m"), trace="two", scope=SDK, at_ms=5, took_ms=80)

    for put in (library, native) if first == "library" else (native, library):
        put()
        world.settle()
    assert (world.call()["name"], world.call()["feature"]) == ("native", "f")
    assert world.repeats() == {"library": "same_response"}


def test_two_calls_of_one_scope_with_the_same_response_id_are_two(world: World) -> None:
    for trace, at in (("one", 0), ("two", 10)):
        world.span("call " + trace, usage(100, 10, gen_ai__response__id="cached"), trace=trace, at_ms=at)
    assert len(world.calls()) == 2


def test_the_same_response_id_hours_later_is_another_request(world: World) -> None:
    world.span("early", usage(100, 10, gen_ai__response__id="x"), trace="one", scope="langsmith")
    world.span("late", usage(100, 10, gen_ai__response__id="x"), trace="two", scope=SDK, at_ms=60_000)
    assert len(world.calls()) == 2


def test_spans_whose_counts_contradict_are_both_counted_and_flagged(world: World) -> None:
    world.span("library", usage(100, 10, gen_ai__response__id="x"), trace="one", scope="langsmith")
    world.span("native", usage(999, 77, gen_ai__response__id="x"), trace="two", scope=SDK, at_ms=5)
    rows = world.calls()
    assert len(rows) == 2
    assert all("response_id_conflict" in row["flags"] for row in rows)


def test_a_span_without_response_id_joins_the_sdks_root_span_with_the_same_counts(world: World) -> None:
    world.span("app", {"http.route": "/"}, trace="one")
    world.span("library", usage(12345, 678), trace="one", parent="app", at_ms=1, scope="langsmith")
    world.span("native", usage(12345, 678, gen_ai__response__id="x"), trace="two", scope=SDK, at_ms=5, took_ms=80)
    assert world.call()["name"] == "native"


def test_application_retries_are_calls_and_only_the_one_that_worked_is_billed(world: World) -> None:
    request = {"outlay.request_id": "r"}
    world.span("first", {**CHAT, **request, "outlay.attempt": "1", "error.type": "RateLimitError"}, status="error")
    world.span("second", {**usage(100, 10), **request, "outlay.attempt": "2"}, at_ms=200)
    rows = world.calls()
    assert [(r["attempt"], r["request_id"], r["status"], r["cost_state"]) for r in rows] == [
        (1, "r", "error", "not_billed"),
        (2, "r", "ok", "computed"),
    ]
    assert rows[0]["cost_usd"] == 0


def test_a_wrapper_around_retries_is_the_attempt_that_worked(world: World) -> None:
    world.span("wrapper", usage(100, 10), scope="a.framework")
    world.span(
        "failed", {**CHAT, "error.type": "Timeout"}, parent="wrapper", at_ms=1, status="error", scope="a.provider"
    )
    world.span("worked", usage(100, 10), parent="wrapper", at_ms=50, scope="a.provider")
    assert sorted((row["cost_state"], row["input_tokens"]) for row in world.calls()) == [
        ("computed", 100),
        ("not_billed", None),
    ]


def test_a_span_that_no_longer_is_a_call_leaves_a_tombstone(world: World) -> None:
    world.span("agent", agent(100, 10))
    world.span("other", usage(5, 5), trace="u")
    assert len(world.calls()) == 2
    world.span("one", usage(100, 10), parent="agent", at_ms=1)
    world.settle()
    dead = world.query("SELECT name FROM calls WHERE is_deleted AND project = {p:String}")
    assert [row["name"] for row in dead] == ["agent"]
    assert world.counts() == [("other", 5, 5), ("one", 100, 10)]


def test_hours_are_marked_dirty_before_their_calls_change(world: World) -> None:
    world.span("one", usage(100, 10))
    world.settle()
    rows = world.query("SELECT hour FROM dirty_hours FINAL WHERE project = {p:String}")
    assert [row["hour"].hour for row in rows] == [12]


def test_progress_is_kept_and_nothing_is_settled_twice(world: World) -> None:
    world.span("one", usage(100, 10))
    world.settle()
    version = world.call()["version"]
    assert world.settler.run_once() is False
    assert world.call()["version"] == version


def test_a_span_that_names_itself_as_its_parent_is_the_root(world: World) -> None:
    agent = usage(1000, 100, gen_ai__operation__name="invoke_agent", outlay__feature="triage")
    world.span("agent", agent, parent="agent", took_ms=900)
    world.span("one", usage(600, 60), parent="agent", at_ms=100)
    world.span("two", usage(300, 30), parent="agent", at_ms=300)
    counted = [(call["name"], call["input_tokens"], call["feature"]) for call in world.calls()]
    assert counted == [("agent", 100, "triage"), ("one", 600, "triage"), ("two", 300, "triage")]


def test_a_ring_of_parents_is_settled_all_the_same(world: World) -> None:
    world.span("a", usage(100, 10), parent="b")
    world.span("b", usage(200, 20), parent="a")
    world.span("self", usage(300, 30), parent="self")
    assert sum(row["input_tokens"] or 0 for row in world.calls()) == 600


def test_a_very_deep_trace_is_settled(world: World) -> None:
    world.span("n0", {"outlay.feature": "deep"})
    for depth in range(1, 90):
        world.span(f"n{depth}", {}, parent=f"n{depth - 1}", at_ms=depth)
    world.span("leaf", usage(100, 10), parent="n40", at_ms=100)
    world.span("abyss", usage(100, 10), parent="n89", at_ms=101)
    rows = {row["name"]: row["feature"] for row in world.calls()}
    assert rows["leaf"] == "deep"
    assert set(rows) == {"leaf", "abyss"}


def test_projects_stay_apart(world: World, shared: Shared) -> None:
    other = new_world(shared)
    for one, scope in ((world, "langsmith"), (other, SDK)):
        one.span("one", usage(100, 10, gen_ai__response__id="x"), scope=scope)
    assert len(world.calls()) == len(other.calls()) == 1
