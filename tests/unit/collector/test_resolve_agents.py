"""Agents and chains, which count again what the calls below them counted."""

from __future__ import annotations

import pytest
from tests.settle_facts import AGENT, Given, decide, reason

from outlay_collector.settle.arrays import NO
from outlay_collector.settle.merge import Counted


def test_an_agent_that_repeats_its_calls_is_no_call() -> None:
    found = decide(
        Given("agent", (30, 12), role=AGENT),
        Given("a", (10, 4), under="agent"),
        Given("b", (20, 8), under="agent"),
    )
    assert found.calls == {"a": (10, 4), "b": (20, 8)}
    assert found.repeats == {"agent": ("repeats_descendants", "")}


def test_what_an_agent_counts_beyond_its_calls_is_a_call_of_its_own() -> None:
    found = decide(
        Given("agent", (50, 20), role=AGENT),
        Given("a", (10, 4), under="agent"),
        Given("b", (20, 8), under="agent"),
    )
    assert found.calls == {"a": (10, 4), "b": (20, 8), "agent": (20, 8)}
    assert reason(found, "agent") is Counted.BEYOND
    assert found.of("agent", "unattributed") is True


def test_an_agent_with_nothing_below_is_a_call() -> None:
    found = decide(Given("agent", (50, 20), role=AGENT))
    assert found.calls == {"agent": (50, 20)}
    assert reason(found, "agent") is Counted.WHOLE


def test_a_call_without_usage_takes_what_the_agent_counts_beyond_the_others() -> None:
    found = decide(
        Given("agent", (30, 12), role=AGENT),
        Given("a", (10, 4), under="agent"),
        Given("b", under="agent"),
    )
    assert found.calls == {"a": (10, 4), "b": (20, 8)}
    assert found.of("b", "filled") is True


def test_two_calls_without_usage_cannot_share_what_is_left() -> None:
    found = decide(
        Given("agent", (30, 12), role=AGENT),
        Given("a", under="agent"),
        Given("b", under="agent"),
    )
    assert found.calls == {"a": (None, None), "b": (None, None), "agent": (30, 12)}


def test_input_decides_whether_an_agent_speaks_of_more_requests() -> None:
    found = decide(Given("agent", (10, 99), role=AGENT), Given("a", (10, 4), under="agent"))
    assert found.calls == {"a": (10, 4)}


def test_agents_above_agents_count_once() -> None:
    found = decide(
        Given("workflow", (30, 3), role=AGENT),
        Given("agent", (30, 3), under="workflow", role=AGENT),
        Given("call", (30, 3), under="agent"),
    )
    assert found.calls == {"call": (30, 3)}
    assert set(found.repeats) == {"workflow", "agent"}


def test_a_call_with_calls_of_other_counts_below_it_is_an_agent() -> None:
    found = decide(
        Given("query engine", (30, 12)),
        Given("a", (10, 4), under="query engine"),
        Given("b", (20, 8), under="query engine"),
    )
    assert set(found.calls) == {"a", "b"}
    assert found.repeats == {"query engine": ("repeats_descendants", "")}


@pytest.mark.parametrize("order", [("early", "late"), ("late", "early")])
def test_an_agent_that_names_no_model_has_that_of_all_calls_below_it(order: tuple[str, str]) -> None:
    calls = {
        "early": Given("early", (10, 4), under="agent", at=1, model="gpt-4o", answered_by="gpt-4o-2024-08-06"),
        "late": Given("late", (20, 8), under="agent", at=2, model="gpt-4o"),
    }
    found = decide(Given("agent", (50, 20), role=AGENT, model=""), *(calls[name] for name in order))
    assert found.of("agent", "model_of") == found.row["early"]


@pytest.mark.parametrize("order", [("early", "late"), ("late", "early")])
@pytest.mark.parametrize("own", ["", "gpt-4o-mini"])
def test_what_an_agent_says_beyond_calls_of_several_models_is_of_none(order: tuple[str, str], own: str) -> None:
    calls = {
        "early": Given("early", (10, 4), under="agent", at=1, model="gpt-4o"),
        "late": Given("late", (20, 8), under="agent", at=2, model="gpt-4o-mini"),
    }
    found = decide(Given("agent", (50, 20), role=AGENT, model=own), *(calls[name] for name in order))
    rows = found.resolved.requests.rows
    at = found.resolved.requests.call.tolist().index(found.row["agent"])
    assert found.of("agent", "model_of") == NO
    assert own == "" or (rows["request_model"][at], rows["response_model"][at]) == (NO, NO)


def test_what_an_agent_says_beyond_calls_that_name_no_model_is_of_none() -> None:
    found = decide(
        Given("agent", (50, 20), role=AGENT, model=""),
        Given("named", (10, 4), under="agent", at=1, model="gpt-4o"),
        Given("silent", (20, 8), under="agent", at=2, model=""),
    )
    assert found.of("agent", "model_of") == NO
