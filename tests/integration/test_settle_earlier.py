"""What earlier runs made of a trace is looked for only where there may be any: not of one that is new."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.settle_world import NOON, World, usage

from outlay.errors import StoreError
from outlay_collector.settle import Settler
from outlay_collector.settle.write import Run
from outlay_collector.store.client import Writer


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch, world: World) -> list[str]:
    """Statements that look for what earlier runs made, as they are made; the settler has nothing left to do."""
    world.span("before", usage(1, 1), trace="before")
    world.settle()
    found: list[str] = []
    arrow = Writer.arrow

    def seen(self: Writer, sql: str, *args: Any) -> Any:
        if "'lookups' AS stored" in sql:
            found.append(sql)
        return arrow(self, sql, *args)

    monkeypatch.setattr(Writer, "arrow", seen)
    return found


def test_a_new_trace_has_nothing_earlier_and_one_that_goes_on_has(world: World, looked: list[str]) -> None:
    world.span("agent", {"gen_ai.operation.name": "invoke_agent"})
    world.span("chat", usage(10, 2), parent="agent")
    assert world.counts()[1:] == [("chat", 10, 2)]
    assert not looked
    # The client's own span came late: the framework's is no call any more, which takes the earlier row back.
    world.span("client", usage(10, 2), parent="chat", scope="opentelemetry.instrumentation.openai_v2")
    assert world.counts()[1:] == [("client", 10, 2)]
    assert len(looked) == 1


def test_a_span_that_is_sent_again_makes_its_trace_one_that_goes_on(world: World, looked: list[str]) -> None:
    world.span("chat", usage(10, 2))
    world.settle()
    world.span("chat", usage(10, 3), version=2)
    assert world.counts()[1:] == [("chat", 10, 3)]
    assert len(looked) == 1


def test_a_run_that_was_broken_off_is_looked_for(
    world: World, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.span("chat", usage(10, 2))
    with monkeypatch.context() as patch:

        def lost(*args: Any) -> None:
            raise StoreError("gone", retryable=True)

        patch.setattr(sys.modules[Run.__module__], "_write_response_ids", lost)
        with pytest.raises(StoreError):
            world.settle()
    # Its calls are there already. Both loads wait, so the trace looks new; and what was a call is a repeat by now.
    world.span("client", usage(10, 2), parent="chat", scope="opentelemetry.instrumentation.openai_v2")
    assert world.counts()[1:] == [("client", 10, 2)]
    assert len(looked) == 1


def test_a_new_settler_and_one_that_settled_by_hand_look(world: World, looked: list[str]) -> None:
    world.settler.resettle(world.project, NOON, NOON.replace(hour=13))
    looked.clear()
    world.span("one", usage(30, 4), trace="one")
    world.settle()
    assert len(looked) == 1
    world.span("two", usage(50, 6), trace="two")
    world.settle()
    assert len(looked) == 1
    again = Settler(world.store, world.settler.prices)
    world.settler, before = again, world.settler
    world.span("three", usage(70, 8), trace="three")
    world.settle()
    world.settler = before
    again.close()
    assert len(looked) == 2
