"""One request in several traces: an application's and a gateway's."""

from __future__ import annotations

import pytest
from tests.settle_facts import CLIENT, Given, decide

APP = Given("app", (100, 7), trace="app", response="r1", scope="app", took=500)
GATEWAY = Given("gateway", (100, 7), trace="gw", response="r1", scope="gateway", at=100, took=300, rank=CLIENT)


def test_one_response_that_two_libraries_saw_at_once_is_one_call() -> None:
    found = decide(APP, GATEWAY)
    assert found.calls == {"gateway": (100, 7)}
    assert found.repeats == {"app": ("same_response", "gateway")}


def test_an_id_that_a_gateway_repeats_later_is_another_call() -> None:
    later = Given("gateway", (100, 7), trace="gw", response="r1", scope="gateway", at=60_000, took=300, rank=CLIENT)
    assert set(decide(APP, later).calls) == {"app", "gateway"}


def test_the_same_library_twice_is_two_requests() -> None:
    again = Given("again", (100, 7), trace="other", response="r1", scope="app", at=10, took=500)
    assert set(decide(APP, again).calls) == {"app", "again"}


def test_spans_with_one_id_that_contradict_are_two_calls_and_flagged() -> None:
    other = Given("other", (900, 70), trace="gw", response="r1", scope="gateway", at=100, took=300, rank=CLIENT)
    found = decide(APP, other)
    assert set(found.calls) == {"app", "other"}
    assert found.of("app", "conflict") is True
    assert found.of("other", "conflict") is True


@pytest.mark.parametrize(
    ("at", "calls"), [(5_900, {"gateway"}), (6_001, {"client", "gateway"}), (20_000, {"client", "gateway"})]
)
def test_a_chain_lasts_as_long_as_the_spans_that_carry_the_id(at: int, calls: set[str]) -> None:
    """Whatever is around them: a framework's span of half a minute makes no request of a second longer."""
    found = decide(
        Given("framework", (100, 7), took=30_000, scope="framework"),
        Given("client", (100, 7), under="framework", response="r1", took=1_000, rank=CLIENT, scope="client"),
        Given("gateway", (100, 7), trace="gw", response="r1", scope="gateway", at=at, rank=CLIENT - 1),
    )
    assert set(found.calls) == calls


def test_equal_counts_join_a_span_without_an_id_to_one_that_has_it() -> None:
    found = decide(
        Given("client", (100, 7), trace="a", response="r1", same_counts="100/7", rank=CLIENT, scope="client"),
        Given("framework", (100, 7), trace="b", same_counts="100/7", at=20, scope="framework"),
    )
    assert found.calls == {"client": (100, 7)}
    assert found.repeats == {"framework": ("same_response", "client")}


def test_equal_counts_without_any_id_prove_nothing_unless_one_lies_within_the_other() -> None:
    one = Given("one", (100, 7), trace="a", same_counts="100/7", scope="x", took=200)
    beside = Given("other", (100, 7), trace="b", same_counts="100/7", scope="y", at=150, took=200)
    within = Given("other", (100, 7), trace="b", same_counts="100/7", scope="y", at=50, took=100)
    assert set(decide(one, beside).calls) == {"one", "other"}
    assert len(decide(one, within).calls) == 1


def test_of_spans_in_two_traces_the_lowest_rank_is_the_call_wherever_it_is() -> None:
    far = Given("far", (100, 7), trace="z", response="r1", scope="gateway", rank=5)
    assert set(decide(APP, far).calls) == {"far"}
    assert set(decide(far, APP).calls) == {"far"}
