"""A span and the one below it that say the same, in the same dialect: the inner one is the call, whatever their ids."""

from __future__ import annotations

import pytest
from tests.settle_world import Shared, new_world, usage

IDS: tuple[dict[str, str], ...] = ({}, {"gen_ai.response.id": "r"})


@pytest.mark.parametrize("ids", IDS, ids=["without ids", "with one response id"])
def test_the_innermost_of_spans_that_say_the_same_is_the_call(shared: Shared, ids: dict[str, str]) -> None:
    world = new_world(shared)
    for n in range(6):
        own = {key: f"{value}{n}" for key, value in ids.items()}
        world.span(f"outer {n}", {**usage(100 + n, 10), **own, "outlay.feature": "outer"}, trace=f"t{n}", took_ms=300)
        world.span(f"inner {n}", {**usage(100 + n, 10), **own}, parent=f"outer {n}", trace=f"t{n}", at_ms=1)
    assert [(call["name"], call["feature"]) for call in world.calls()] == [(f"inner {n}", "outer") for n in range(6)]
    assert set(world.repeats()) == {f"outer {n}" for n in range(6)}


@pytest.mark.parametrize("ids", IDS, ids=["without ids", "with one response id"])
def test_a_late_inner_span_takes_the_call_from_the_outer(shared: Shared, ids: dict[str, str]) -> None:
    world = new_world(shared)
    for n in range(4):
        world.span(f"outer {n}", {**usage(100 + n, 10), **ids, "outlay.feature": "outer"}, trace=f"t{n}", took_ms=300)
    assert [call["name"] for call in world.calls()] == [f"outer {n}" for n in range(4)]
    for n in range(4):
        world.span(
            f"inner {n}",
            {**usage(100 + n, 10), **ids, "outlay.feature": "inner"},
            parent=f"outer {n}",
            trace=f"t{n}",
            at_ms=1,
        )
    assert [(call["name"], call["feature"]) for call in world.calls()] == [(f"inner {n}", "inner") for n in range(4)]
