"""What a settle run takes of what waits: whole loads, in order, within its limits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from outlay_collector.settle.gather import NEVER
from outlay_collector.settle.waiting import Batch, Waiting
from outlay_collector.store.client import Writer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def load(writer: Writer, loader: str, seq: int, traces: Iterable[tuple[str, int]]) -> None:
    """A load of spans by trace."""
    rows = [
        {
            "loader": loader,
            "seq": seq,
            "project": "default",
            "trace_id": trace,
            "spans": spans,
            "received_from": NOON + timedelta(seconds=seq),
        }
        for trace, spans in traces
    ]
    writer.insert("dirty_traces", rows)


def traces(batch: Batch | None) -> list[str]:
    assert batch is not None
    return [trace.decode() for trace in batch.changed["trace_id"].to_pylist()]


def test_nothing_waits_where_nothing_was_loaded(writer: Writer) -> None:
    assert Waiting(writer).next(100, 100) is None


def test_a_run_takes_as_many_whole_loads_as_fit_and_goes_on_after_them(writer: Writer) -> None:
    for seq in (1, 2, 3):
        load(writer, "a", seq, [(f"a{seq}{n}", 10) for n in range(3)])
    waiting = Waiting(writer)
    first = waiting.next(60, 100)
    assert (traces(first), first and first.more) == (["a10", "a11", "a12", "a20", "a21", "a22"], True)
    assert first is not None
    waiting.settled(first)
    last = waiting.next(60, 100)
    assert (traces(last), last and last.more) == (["a30", "a31", "a32"], False)
    assert last is not None
    waiting.settled(last)
    assert waiting.next(60, 100) is None
    assert Waiting(writer).next(60, 100) is None  # another process knows, too


def test_a_load_beyond_the_limits_is_taken_alone_and_whole(writer: Writer) -> None:
    load(writer, "a", 1, [(f"{n:02}", 1) for n in range(20)])
    load(writer, "a", 2, [("later", 1)])
    waiting = Waiting(writer)
    first = waiting.next(100, 5)
    assert first is not None
    assert (len(traces(first)), first.more, first.upto) == (20, True, {"a": 1})
    waiting.settled(first)
    assert traces(waiting.next(100, 5)) == ["later"]


def test_each_loader_has_a_progress_of_its_own(writer: Writer) -> None:
    load(writer, "a", 7, [("x", 1)])
    load(writer, "b", 2, [("y", 1)])
    waiting = Waiting(writer)
    first = waiting.next(100, 100)
    assert first is not None
    assert first.upto == {"a": 7, "b": 2}
    waiting.settled(first)
    load(writer, "b", 3, [("z", 1)])
    assert traces(waiting.next(100, 100)) == ["z"]


def test_a_trace_of_several_loads_is_taken_once_since_its_first_span_and_a_score_changes_no_span(
    writer: Writer,
) -> None:
    load(writer, "a", 1, [("t", 1), ("scored", 0)])
    load(writer, "a", 2, [("t", 1)])
    batch = Waiting(writer).next(100, 100)
    assert traces(batch) == ["scored", "t"]
    assert batch is not None
    assert batch.changed["since"].to_pylist() == [NEVER, NOON + timedelta(seconds=1)]


def test_loaders_whose_marks_expired_are_asked_for_no_more(writer: Writer) -> None:
    writer.insert("settle_progress", [{"loader": "long gone", "seq": 7}, {"loader": "here", "seq": 1}])
    load(writer, "here", 1, [("settled", 1)])
    load(writer, "here", 2, [("new", 1)])
    waiting = Waiting(writer)
    assert traces(waiting.next(100, 100)) == ["new"]
    assert waiting._condition()[1]["known"] == ["here"]


def test_each_process_that_takes_scores_is_a_loader_of_its_own() -> None:
    """One that marks a trace later, with an earlier clock, would not be seen after the other's mark was settled."""
    ask = [sys.executable, "-c", "from outlay_collector.load.scores import LOADER; print(LOADER)"]
    path = os.pathsep.join(sys.path)
    names = {subprocess.check_output(ask, env={**os.environ, "PYTHONPATH": path}, text=True) for _ in range(2)}
    assert len(names) == 2
