"""A trace that settle cannot read keeps no other from being settled, and is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.scrape import value
from tests.settle_world import NOON, Shared, World, hex_of, shared_settler, usage
from tests.waiting import until
from tests.web_server import llm_span, own_store, running

import outlay_collector.settle as settle
from outlay.errors import StoreError
from outlay_collector.cells import CellTasks
from outlay_collector.settle import Settler
from outlay_collector.settle.gather import gather as plain
from outlay_collector.store.clock import utc_now
from outlay_web.config import Settings


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    with shared_settler() as made:
        yield made


def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a span named poison raises wherever it is read."""

    def gather(*args: Any) -> Any:
        gathered, scored = plain(*args)
        if gathered is not None and b"poison" in gathered.spans["name"].to_pylist():
            raise OverflowError("cannot convert float infinity to integer")
        return gathered, scored

    monkeypatch.setattr(settle, "gather", gather)


def aside(world: World) -> list[str]:
    """Of the traces that are set aside those of this world."""
    return [trace for project, trace in world.settler.set_aside if project == world.project]


def sent(world: World) -> None:
    for n in range(5):
        world.span("poison" if n == 2 else f"good {n}", usage(10, n + 1), trace=f"trace {n}", at_ms=n)


def test_a_trace_that_raises_is_set_aside_and_all_others_are_settled(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poisoned(monkeypatch)
    sent(world)
    with caplog.at_level(logging.ERROR):
        assert [row["name"] for row in world.calls()] == ["good 0", "good 1", "good 3", "good 4"]
    trace = (world.project, hex_of("trace 2", 32))
    assert world.settler.set_aside[trace] == "OverflowError: cannot convert float infinity to integer"
    assert aside(world) == [trace[1]]
    assert caplog.text.count(trace[1]) == 1
    world.span("later", usage(1, 1), trace="later", at_ms=9)
    assert "later" in [row["name"] for row in world.calls()]
    assert world.settler.run_once() is False


def test_settling_again_goes_on_beyond_it_and_takes_it_when_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        poisoned(patched)
        sent(world)
        world.settle()
        assert world.settler.resettle(world.project, NOON, NOON + timedelta(hours=1)) == 5
        assert len(world.calls()) == 4
    world.settler.resettle(world.project, NOON, NOON + timedelta(hours=1))
    assert len(world.calls()) == 5
    assert (world.project, hex_of("trace 2", 32)) not in world.settler.set_aside


def test_another_process_knows_it_tries_it_again_and_settles_it_when_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        poisoned(patched)
        sent(world)
        world.settle()
        known = dict(world.settler.set_aside)
        after = Settler(world.settler.store, world.settler.prices)
        after.run_once()
        assert after.set_aside == known
        assert len(world.calls()) == 4
        after.close()
    mended = Settler(world.settler.store, world.settler.prices)
    mended.run_once()
    assert mended.set_aside == {}
    assert len(world.calls()) == 5
    mended.close()


def test_a_store_that_fails_meanwhile_does_not_make_another_process_forget_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        poisoned(patched)
        sent(world)
        world.settle()

    def gone(*_: Any) -> Any:
        raise StoreError("gone", retryable=True)

    mended = Settler(world.settler.store, world.settler.prices)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "gather", gone)
        with pytest.raises(StoreError, match="gone"):
            mended.run_once()
    mended.run_once()
    assert len(world.calls()) == 5
    mended.close()


def test_what_fails_again_waits_twice_as_long_though_it_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now, runs = [NOON], [0]
    settler = Settler(world.settler.store, world.settler.prices, clock=lambda: now[0])

    def bad(*_: Any) -> Any:
        runs[0] += 1
        raise OverflowError("infinity")

    def runs_after(seconds: int) -> int:
        now[0] += timedelta(seconds=seconds)
        before = runs[0]
        world.span("poison", usage(1, 1), trace="p", at_ms=runs[0])
        monkeypatch.setattr(world, "settler", settler)
        world.settle()
        return runs[0] - before

    with monkeypatch.context() as patched:
        patched.setattr(settle, "resolve", bad)
        tried = [runs_after(seconds) for seconds in (0, 0, 2, 1, 2, 3, 1)]
    assert [bool(each) for each in tried] == [True, False, True, False, True, False, True]
    settler.close()


def test_a_storm_of_traces_that_fail_is_bounded_and_loses_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, now = [0], [NOON]
    settler = Settler(world.settler.store, world.settler.prices, clock=lambda: now[0])
    monkeypatch.setattr(world, "settler", settler)
    monkeypatch.setattr(settle, "MOST_FAILED", 4)

    def bad(*_: Any) -> Any:
        runs[0] += 1
        raise OverflowError("infinity")

    for n in range(64):
        world.span(f"poison {n}", usage(1, n + 1), trace=f"poison {n}", at_ms=n)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "resolve", bad)
        world.settle()
    assert (runs[0] < 40, len(aside(world))) == (True, 64)
    now[0] += timedelta(seconds=2)
    assert len(world.calls()) == 64
    assert aside(world) == []
    settler.close()


def test_a_store_that_fails_is_no_trace_s_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise StoreError("gone", retryable=True)

    sent(world)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "gather", broken)
        with pytest.raises(StoreError, match="gone"):
            world.settle()
    assert len(world.calls()) == 5
    assert aside(world) == []


def test_a_first_connection_to_other_cells_that_fails_is_made_again(shared: Shared) -> None:
    store = shared.store
    settler = Settler(store, shared[1].prices)
    other, failures = store.writer(), [True]

    class Flaky:
        def run(self, sql: str) -> None:
            if failures:
                failures.pop()
                raise StoreError("refused", retryable=True)
            other.run(sql)

        def close(self) -> None:
            other.close()

    settler._across_writer = Flaky()  # type: ignore[assignment]
    with pytest.raises(StoreError, match="refused"):
        settler._prepare()
    assert settler._prepare()[1] is not None
    settler.close()


def test_a_task_of_a_cell_that_raises_is_failed_and_the_next_is_done(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settler, _ = shared
    tasks, writer = CellTasks(store), store.writer()
    row = {"cell": store.cells.own, "kind": "resettle", "starts_at": NOON, "ends_at": NOON + timedelta(hours=1)}
    row |= {"state": "wanted", "traces": 0, "error": "", "asked_at": utc_now(), "version": 1}
    writer.insert("cell_tasks", [row | {"task": name, "project": name} for name in ("bad", "good")])

    def resettle(project: str, *_: Any) -> int:
        return 7 if project == "good" else int(float("inf"))

    monkeypatch.setattr(settler, "resettle", resettle)
    assert tasks.run_waiting(settler, writer)
    rows = store.query("SELECT project, state, traces, error FROM cell_tasks FINAL ORDER BY project")
    assert [(row["project"], row["state"], row["traces"]) for row in rows] == [
        ("bad", "failed", 0),
        ("good", "done", 7),
    ]
    assert "OverflowError" in rows[0]["error"]
    writer.close()


def test_the_status_and_the_metrics_tell_of_a_trace_that_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise OverflowError("cannot convert float infinity to integer")

    with running(Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1)) as server:
        with monkeypatch.context() as patched:
            patched.setattr(settle, "resolve", fails)
            server.send_spans([llm_span(1, 1)])
            until(lambda: value(server, "outlay_job_failures_total", job="settle") > 0)
            status = server.api("/status").json
            assert (status["set_aside_traces"], value(server, "outlay_set_aside_traces")) == (1, 1)
            (one,) = status["set_aside"]
            assert (one["project"], one["trace_id"], one["reason"][:13]) == ("default", f"{1:032x}", "OverflowError")
            assert "1 trace cannot be settled." in server.get("/settings").text
        server.send_spans([llm_span(2, 1)])
        until(lambda: value(server, "outlay_set_aside_traces") == 0)  # by itself, after a wait
        server.wait_for_calls(2)
        assert value(server, "outlay_job_failures_total", job="settle") == 1
        assert value(server, "outlay_unsettled_traces") == 0
