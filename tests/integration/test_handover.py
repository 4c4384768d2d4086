"""Small batches are settled without a mark or a ledger's row each; what a crash leaves is loaded and settled again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.landing import Collector
from tests.otlp_bodies import body, span

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING
from outlay_analytics.questions import call_rows
from outlay_analytics.questions.call_rows import keep_written
from outlay_analytics.questions.calls import list_calls
from outlay_analytics.questions.trace import get_trace
from outlay_collector.handover import Handover
from outlay_collector.load import batch, loader
from outlay_collector.load.scores import add_score
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Params, Row, Store

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 90,
}


class Process:
    """Loader and settler of one process over a store, driven by hand; `dies` leaves all as it is."""

    def __init__(self, store: Store, path: Path, rng: random.Random | None = None) -> None:
        self.store = store
        self.handover = Handover()
        self.collector = Collector(store, path, handover=self.handover)
        on_calls = partial(keep_written, store)
        self.settler = Settler(store, PriceBook(store), handover=self.handover, on_calls=on_calls)
        self.path = path
        self._rng = rng or random.Random(7)

    def send(self, calls: int = 1) -> None:
        self.collector.send(body([span(self._rng, attributes=CALL) for _ in range(calls)]))

    def load(self) -> None:
        self.collector.load()

    def settle(self) -> None:
        while self.settler.run_once():
            pass

    def run(self, calls: int = 1) -> None:
        self.send(calls)
        self.load()
        self.settle()

    def count(self, table: str) -> int:
        return int(self.store.query(f"SELECT count() AS n FROM {table} FINAL")[0]["n"])

    def marks(self) -> int:
        return int(self.store.query("SELECT count() AS n FROM dirty_traces")[0]["n"])

    def segments(self) -> list[str]:
        return sorted(path.name for path in self.path.glob("*.seg") if path.stat().st_size)

    def stop(self) -> None:
        self.collector.close()
        self.settler.close()

    def dies(self) -> Process:
        """The process after it."""
        self.settler.close()
        self.collector.loader._writer.close()  # nothing is written: as after kill -9
        self.collector.spool.close()
        return Process(self.store, self.path, self._rng)


@pytest.fixture
def process(store: Store, tmp_path: Path) -> Iterator[Process]:
    made = Process(store, tmp_path / "spool")
    yield made
    made.stop()


def test_many_small_batches_leave_one_row_of_the_ledger_and_no_marks(process: Process) -> None:
    for _ in range(3):
        process.run(2)
    assert (process.count("calls"), process.count("ledger"), process.marks()) == (6, 0, 0)
    assert process.count("settle_progress") == 0
    assert len(process.segments()) == 3
    assert process.collector.ledger()["stored"] == 6
    process.collector.loader.write_kept()
    assert (process.count("ledger"), process.marks(), process.segments()) == (1, 0, [])
    assert process.store.query("SELECT segment, stored FROM ledger FINAL") == [{"segment": 3, "stored": 6}]


def test_what_waits_to_be_settled_is_known_of_each_trace(process: Process) -> None:
    process.send(2)
    process.load()
    waiting = process.handover.traces()
    assert len(waiting) == 2
    project, trace_id = min(waiting)
    reasons = [
        [span["reason"] for span in (get_trace(process.store, project, trace_id, unsettled) or {})["spans"]]
        for unsettled in (waiting, set())
    ]
    assert reasons == [["pending"], ["plain"]]
    process.settle()
    assert process.handover.traces() == set()


def test_segments_are_let_go_of_once_there_are_many(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "KEEP_SEGMENTS", 3)
    for _ in range(7):
        process.run()
    assert len(process.segments()) == 1
    assert (process.count("calls"), process.collector.ledger()["stored"]) == (7, 7)


@pytest.mark.parametrize("settled", [0, 1, 2])
def test_after_a_crash_nothing_is_lost_and_nothing_is_there_twice(store: Store, tmp_path: Path, settled: int) -> None:
    process = Process(store, tmp_path / "spool")
    for n in range(2):
        process.send(2)
        process.load()
        if n < settled:
            process.settle()
    process = process.dies()
    assert process.collector.ledger()["pending"] == 4
    process.load()
    process.settle()
    found = process.collector.ledger()
    assert (found["received"], found["stored"], found["duplicate"], found["pending"]) == (4, 4, 0, 0)
    assert (process.count("spans"), process.count("calls")) == (4, 4)
    assert process.segments() == []  # loaded before the crash, perhaps: marked and written down as ever
    process.run()
    assert process.count("calls") == 5
    process.stop()


def test_what_was_made_of_a_segment_before_a_crash_is_taken_back_if_it_is_no_more(store: Store, tmp_path: Path) -> None:
    process = Process(store, tmp_path / "spool")
    process.run()
    process.run()
    # As if the version that died had taken each span for a repeat, too.
    key = "project, trace_id, span_id, started_at, version"
    process.store.writer().run(f"INSERT INTO repeats ({key}) SELECT {key} FROM calls")
    assert process.count("repeats") == 2
    process = process.dies()
    while process.collector.loader.run_once():
        process.settle()
    assert (process.count("calls"), process.count("repeats")) == (2, 0)
    process.stop()


def test_what_is_not_settled_when_segments_go_is_marked(process: Process) -> None:
    process.send(2)
    process.load()
    process.collector.loader.write_kept()
    assert (process.marks(), process.segments(), process.handover.waiting()) == (2, [], [])
    process.settle()
    assert (process.count("calls"), process.count("settle_progress")) == (2, 1)


def test_a_large_batch_after_small_ones_passes_none_of_them_over(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.send()
    process.load()
    monkeypatch.setattr(batch, "FEW_SPANS", 5)
    process.send(8)
    process.load()
    process.send(2)
    process.load()
    process.settle()
    assert (process.count("calls"), process.handover.waiting()) == (11, [])
    found = process.collector.ledger()
    assert (found["stored"], found["pending"]) == (11, 0)


def test_a_run_that_fails_keeps_what_it_was_handed(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    process.run()
    process.send()
    process.load()
    with monkeypatch.context() as patch:
        patch.setattr(Settler, "_settle_what_can_be", _fail)
        with pytest.raises(RuntimeError):
            process.settle()
    assert process.count("calls") == 1
    process.settle()
    assert process.count("calls") == 2


def test_a_score_that_was_posted_is_settled_although_loads_are_handed_over(process: Process) -> None:
    process.run()
    trace = process.store.query("SELECT trace_id FROM calls FINAL")[0]["trace_id"]
    add_score(process.store.writer(), "default", trace, "", "kind", 1.0)
    process.handover.look()
    process.run()
    assert process.count("settle_progress") == 1


def _fail(*args: object, **kwargs: object) -> None:
    raise RuntimeError


def test_who_asks_for_calls_that_this_process_wrote_reads_none_of_their_rows(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    rows = call_rows._rows

    def counted(store: Store, project: str, which: str, params: Params, limit: int) -> list[Row]:
        read.append(limit)
        return rows(store, project, which, params, limit)

    monkeypatch.setattr(call_rows, "_rows", counted)
    for calls in (2, 3):
        process.run(calls)
    shown = list_calls(process.store, Scope(EVERYTHING))["calls"]
    assert (len(shown), read) == (5, [])
    again = "INSERT INTO calls SELECT * REPLACE ('x' AS team, version + 1 AS version) FROM calls FINAL"
    process.store.writer().run(again)
    assert {call["team"] for call in list_calls(process.store, Scope(EVERYTHING))["calls"]} == {"x"}
    assert read == [5]
