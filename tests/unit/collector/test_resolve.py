"""The rules of counting once, each on a handful of spans."""

from __future__ import annotations

from typing import Any

import pytest
from tests.settle_facts import AGENT, CLIENT, FRAMEWORK, Given, decide, reason

from outlay_collector.settle.facts import Count, Role
from outlay_collector.settle.merge import Counted

RAW, TAIL = Role.RAW, Role.TAIL


# --- one span below the other


def test_a_framework_s_span_and_the_client_s_below_it_are_one_call() -> None:
    found = decide(Given("ChatOpenAI", (100, 7)), Given("openai.chat", (100, 7), under="ChatOpenAI", rank=CLIENT))
    assert found.calls == {"openai.chat": (100, 7)}
    assert found.repeats == {"ChatOpenAI": ("same_request", "openai.chat")}
    assert reason(found, "openai.chat") is Counted.NEAREST


def test_a_call_that_no_other_span_speaks_of_stands_alone() -> None:
    assert reason(decide(Given("chat", (100, 7))), "chat") is Counted.ALONE


def test_what_is_between_them_and_says_nothing_does_not_part_them() -> None:
    found = decide(
        Given("ChatOpenAI", (100, 7)),
        Given("retry", under="ChatOpenAI", role=Role.NONE),
        Given("openai.chat", (100, 7), under="retry", rank=CLIENT),
    )
    assert found.calls == {"openai.chat": (100, 7)}


def test_a_request_within_many_wrappers_is_one_call() -> None:
    wrappers = [Given(f"w{n}", (100, 7), under=f"w{n - 1}" if n else "") for n in range(30)]
    found = decide(*wrappers, Given("openai.chat", (100, 7), under="w29", rank=CLIENT))
    assert found.calls == {"openai.chat": (100, 7)}
    assert {of for _, of in found.repeats.values()} == {"openai.chat"}


def test_a_parent_is_one_request_with_one_of_its_children_the_last_to_start() -> None:
    found = decide(
        Given("ChatOpenAI", (100, 7)),
        Given("first try", (100, 7), under="ChatOpenAI", at=10, rank=CLIENT),
        Given("second try", (100, 7), under="ChatOpenAI", at=20, rank=CLIENT),
    )
    assert found.calls == {"first try": (100, 7), "second try": (100, 7)}
    assert found.repeats == {"ChatOpenAI": ("same_request", "second try")}


def test_the_response_s_id_is_surer_than_equal_counts() -> None:
    found = decide(
        Given("ChatOpenAI", (100, 7), response="r1"),
        Given("one", (100, 9), under="ChatOpenAI", response="r1", at=10, rank=CLIENT),
        Given("other", (100, 7), under="ChatOpenAI", at=20, rank=CLIENT),
    )
    assert found.repeats == {"ChatOpenAI": ("same_response", "one")}


def test_two_ids_are_two_requests_however_equal_the_counts() -> None:
    found = decide(Given("a", (100, 7), response="r1"), Given("b", (100, 7), under="a", response="r2"))
    assert found.calls == {"a": (100, 7), "b": (100, 7)}


def test_another_model_is_another_request() -> None:
    one = Given("a", model="gpt-4o", answered_by="gpt-4o-2024-08-06")
    other = Given("b", (100, 7), under="a", model="claude-sonnet-4", answered_by="claude-sonnet-4-20250514")
    assert decide(one, other).calls == {"a": (None, None), "b": (100, 7)}


def test_a_model_may_be_named_by_how_its_name_begins() -> None:
    found = decide(Given("a", (100, 7)), Given("b", (100, 7), under="a", model="gpt-4o-2024-08-06", rank=CLIENT))
    assert set(found.calls) == {"b"}


def test_a_failed_child_is_a_try_of_its_own() -> None:
    found = decide(Given("a", (100, 7)), Given("b", under="a", failed=True, rank=CLIENT))
    assert found.calls == {"a": (100, 7), "b": (None, None)}


def test_what_came_off_the_wire_untouched_is_the_call() -> None:
    found = decide(
        Given("chat", (100, 7), rank=CLIENT), Given("raw", (100, 8), under="chat", role=RAW, rank=CLIENT - 1)
    )
    assert found.calls == {"raw": (100, 8)}
    assert found.repeats == {"chat": ("same_request", "raw")}


def test_a_ring_of_parents_is_read_span_by_span() -> None:
    assert set(decide(Given("a", (1, 1), under="b"), Given("b", (2, 2), under="a")).calls) == {"a", "b"}


def test_spans_whose_parent_is_not_there_are_read_as_roots() -> None:
    assert decide(Given("chat", (100, 7), under="lost")).calls == {"chat": (100, 7)}


# --- beside each other, where one should be below the other


def test_a_client_s_span_within_the_one_framework_s_beside_it_is_the_same_call() -> None:
    """Langfuse's span below LangChain's, and Outlay's beside it, since Langfuse's is never the current one."""
    found = decide(
        Given("ChatOpenAI", (900, 60), scope="langchain", took=1_000),
        Given("generation", (900, 60), under="ChatOpenAI", scope="langfuse", at=10, took=900),
        Given("chat", (900, 60), under="ChatOpenAI", scope="outlay", response="r", rank=CLIENT, at=20, took=800),
    )
    assert found.calls == {"chat": (900, 60)}


def test_a_stream_that_counts_nothing_beside_the_client_s_is_no_call_of_its_own() -> None:
    found = decide(
        Given("agent", role=AGENT, took=1_000),
        Given("generation", under="agent", scope="langfuse", at=10, took=900),
        Given("chat", (900, 60), under="agent", scope="outlay", response="r", rank=CLIENT, at=20, took=800),
    )
    assert found.calls == {"chat": (900, 60)}


@pytest.mark.parametrize(
    "beside",
    [
        {"usage": (901, 61)},
        {"model": "claude-sonnet-4"},
        {"model": ""},
        {"response": "other"},
        {"scope": "outlay"},
        {"took": 100},
        {"under": ""},
    ],
    ids=str,
)
def test_a_call_beside_another_is_another_one_unless_everything_fits(beside: dict[str, Any]) -> None:
    host: dict[str, Any] = {"usage": (900, 60), "under": "agent", "scope": "langfuse", "at": 10, "took": 900} | beside
    found = decide(
        Given("agent", role=Role.NONE, took=1_000),
        Given("generation", **host),
        Given("chat", (900, 60), under="agent", scope="outlay", response="r", rank=CLIENT, at=20, took=800),
    )
    assert set(found.calls) == {"generation", "chat"}


def test_a_call_within_two_others_beside_it_is_neither_s() -> None:
    found = decide(
        Given("agent", role=Role.NONE, took=1_000),
        Given("one", (900, 60), under="agent", scope="langfuse", at=5, took=990),
        Given("two", (900, 60), under="agent", scope="langfuse", at=10, took=900),
        Given("chat", (900, 60), under="agent", scope="outlay", response="r", rank=CLIENT, at=20, took=800),
    )
    assert set(found.calls) == {"one", "two", "chat"}


# --- what each span adds


def test_each_field_has_the_word_of_the_span_nearest_the_wire_that_says_it() -> None:
    found = decide(
        Given("ChatOpenAI", (100, 7), says=frozenset({"environment", "provider"})),
        Given("openai.chat", (100, 7), under="ChatOpenAI", rank=CLIENT, says=frozenset({"provider"})),
    )
    rows = found.resolved.requests.rows
    assert rows["provider"].tolist() == [found.row["openai.chat"]]
    assert rows["environment"].tolist() == [found.row["ChatOpenAI"]]


def test_parts_that_only_another_span_counts_complete_the_call() -> None:
    found = decide(
        Given("ChatOpenAI", (100, 7), parts={Count.CACHE_READ: 40}),
        Given("openai.chat", (100, 7), under="ChatOpenAI", rank=CLIENT),
    )
    assert found.counts("openai.chat") == {"input_tokens": 100, "output_tokens": 7, "cache_read_tokens": 40}


def test_an_estimate_holds_only_where_nobody_counted() -> None:
    found = decide(
        Given("framework", (101, 7)),
        Given("client", (101, 9), under="framework", rank=CLIENT, estimated=True),
    )
    assert found.calls == {"client": (101, 7)}
    assert found.of("client", "estimated") is False


def test_a_stream_that_the_client_did_not_read_to_its_end_has_no_output() -> None:
    found = decide(Given("framework", (100, 1)), Given("client", (100, None), under="framework", rank=CLIENT))
    assert found.calls == {"client": (100, None)}


def test_an_estimate_completes_what_nobody_counted() -> None:
    """A stream that was abandoned: the client's span has the input, Outlay's an estimate of what had come."""
    found = decide(
        Given("client", (900, None), rank=CLIENT, parts={Count.CACHE_READ: 500}),
        Given("wire", (900, 1), under="client", rank=CLIENT - 5, estimated=True, parts={Count.CACHE_READ: 500}),
    )
    assert found.calls == {"wire": (900, 1)}
    assert found.of("wire", "estimated") is True


def test_an_estimated_part_makes_no_estimate_of_a_counted_whole() -> None:
    found = decide(
        Given("framework", (100, 7)),
        Given("client", (100, 7), under="framework", rank=CLIENT, estimated=True, parts={Count.REASONING: 3}),
    )
    assert found.counts("client") == {"input_tokens": 100, "output_tokens": 7, "reasoning_tokens": 3}
    assert found.of("client", "estimated") is False


def test_the_highest_attempt_that_a_span_names_is_the_request_s() -> None:
    found = decide(Given("a", (100, 7), attempt=3), Given("b", (100, 7), under="a", rank=CLIENT))
    assert found.of("b", "attempt") == 3


# --- streams


def test_a_stream_s_usage_is_of_the_span_that_opened_it() -> None:
    found = decide(
        Given("stream", stream="s", took=100),
        Given("done", (100, 7), role=TAIL, stream="s", at=900, took=0, began=120, rank=FRAMEWORK + 1),
    )
    assert found.calls == {"stream": (100, 7)}
    assert found.repeats == {"done": ("stream_usage", "stream")}


def test_streams_of_one_burst_have_their_usage_in_order() -> None:
    found = decide(
        Given("one", stream="s", took=10),
        Given("two", stream="s", at=5, took=10),
        Given("done one", (1, 1), role=TAIL, stream="s", at=500, took=0, rank=FRAMEWORK + 1),
        Given("done two", (2, 2), role=TAIL, stream="s", at=600, took=0, rank=FRAMEWORK + 1),
    )
    assert found.calls == {"one": (1, 1), "two": (2, 2)}


def test_a_silence_parts_streams() -> None:
    found = decide(
        Given("aborted", stream="s", took=10),
        Given("stream", stream="s", at=10_000, took=10),
        Given("done", (2, 2), role=TAIL, stream="s", at=10_500, took=0, rank=FRAMEWORK + 1),
    )
    assert found.calls == {"aborted": (None, None), "stream": (2, 2)}


# --- caches of the application


def test_an_answer_from_the_application_s_cache_is_no_repeat_of_the_call_it_saved() -> None:
    found = decide(
        Given("hit", cached=True, is_lookup=True, response="r1", scope="cache"),
        Given("earlier", (100, 7), response="r1", trace="b", scope="client"),
    )
    assert set(found.calls) == {"hit", "earlier"}


def test_a_call_knows_the_look_up_it_was_made_for() -> None:
    found = decide(
        Given("lookup", role=Role.NONE, is_lookup=True),
        Given("chain", under="lookup", role=Role.NONE),
        Given("call", (100, 7), under="chain"),
    )
    assert found.of("call", "lookup") == found.row["lookup"]


# --- contexts


def test_a_call_inherits_from_every_span_around_it_the_nearest_first() -> None:
    says = frozenset({"context"})
    found = decide(
        Given("request", role=Role.NONE, says=says),
        Given("step", under="request", role=Role.NONE, says=says),
        Given("call", (100, 7), under="step"),
    )
    contexts, above = found.resolved.contexts, found.resolved.tree.context_above
    assert (contexts.request.tolist(), contexts.near.tolist()) == ([0], [found.row["step"]])
    assert above[contexts.near].tolist() == [found.row["request"]]


def test_a_call_without_any_context_has_none() -> None:
    found = decide(Given("call", (100, 7)))
    assert len(found.resolved.contexts.request) == len(found.resolved.contexts.near) == 0
