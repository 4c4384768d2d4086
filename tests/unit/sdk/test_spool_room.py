"""What waits moves to files of bounded size while the server is away; these files are the process's own."""

from __future__ import annotations

import fcntl
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from outlay.export.queue import Pipeline
from outlay.export.sender import Answer, Sender
from outlay.export.spool import Spool
from outlay.export.spool_format import Left
from outlay.settings import Settings

SETTINGS = Settings.from_env(
    {"OUTLAY_QUEUE_SPANS": "20", "OUTLAY_BATCH_SPANS": "5", "OUTLAY_FLUSH_INTERVAL_MS": "600000"}
)


class Away(Sender):
    """Nobody answers."""

    def prepare(self) -> None:
        """Nothing is needed."""

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        return Answer(0)


def encoded(spans: Sequence[Any], late: object) -> bytes:
    return b"".join(str(dict(span.attributes or {})).encode() for span in spans)


def started(spool: Spool | None) -> Pipeline:
    return Pipeline(SETTINGS, Away(SETTINGS), encoded, lambda scores: b"score", spool=spool)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    found = started(Spool(tmp_path / "spool", "one", 64_000))
    yield found
    found.shutdown(0)


def put(pipeline: Pipeline, number: int, text: str = "") -> None:
    context = SpanContext(1, number, False)
    pipeline.put(ReadableSpan("call", context, attributes={"number": number, "text": text}), number)


def bodies(files: Sequence[Left]) -> bytes:
    return b"".join(left.body(record) for left in files for record in left.records)


def test_long_texts_go_first_where_the_files_are_nearly_full(pipeline: Pipeline) -> None:
    for number in range(200):
        put(pipeline, number, "long" * 1000)
        pipeline._filing.write_all()  # as the thread does that has time
    kept = bodies(pipeline._filing.left)
    assert 10 * 4000 < len(kept) < 64_000
    assert pipeline.dropped == 0
    assert b"'number': 1," in kept
    assert b"'number': 150}" in kept


def test_a_file_that_is_being_made_is_nobodys_to_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = (Spool(tmp_path / "spool", "one", 64_000) for _ in range(2))
    found: list[Any] = []
    lock = fcntl.flock

    def meanwhile(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        found.extend([other.others(), *other.left_behind()])
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    assert mine.open()
    assert found == [False]
    assert [*other.left_behind()] == []
    assert mine.append("traces", 1, b"body")
    mine.all_sent()
    mine.close()
    assert [*(tmp_path / "spool").iterdir()] == []


def test_a_forked_child_holds_none_of_its_parents_files(pipeline: Pipeline) -> None:
    for number in range(60):
        put(pipeline, number)
    held = [left.descriptor for left in pipeline._filing.left]
    assert held
    copies = [os.dup(one) for one in held]  # as the parent goes on holding them
    pipeline.after_fork()
    assert pipeline._filing.left == []
    for one in held:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(one)
    for one in copies:
        os.close(one)


def test_files_that_made_room_go_where_the_settings_send_to_and_those_of_others_stay(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    for number in range(60):
        put(pipeline, number)
    folder = tmp_path / "spool"
    (other,) = _of_another_process(folder)
    pipeline._filing.left.append(other)
    late = started(Spool(folder, "two", 64_000))
    pipeline.hand_over(late)
    late.shutdown(0)
    assert (late.spooled, late.dropped) == (60, 0)
    names = sorted(path.name.partition("-")[0] for path in folder.iterdir())
    assert names.count("one") == 1
    assert set(names) == {"one", "two"}
    found = [*Spool(folder, "two", 1).left_behind()]
    assert sum(record.count for left in found for record in left.records) == 60
    for left in found:
        left.close()


def test_files_that_made_room_hold_nothing_in_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "target", 1 << 30)
    for _ in range(4):
        assert spool.append("traces", 1, os.urandom(1 << 20))
    tracemalloc.start()
    try:
        left = spool.rotate()
        assert left is not None
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
        assert [len(left.body(record)) for record in left.records] == [1 << 20] * 4
    finally:
        tracemalloc.stop()
    spool.done(left, 1)  # the last is still to be sent
    (found,) = Spool(tmp_path, "target", 1 << 30).left_behind()
    assert (len(found.records), found.rest, found.at_risk) == (1, 0, 0)
    spool.done(found, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["off", "file", "other"])
def test_what_was_recorded_before_the_settings_came_is_counted_under_them(
    pipeline: Pipeline, tmp_path: Path, to: str
) -> None:
    file = tmp_path / "unsent.otlp"
    settings = Settings.from_env({"OUTLAY_SPOOL_FILE": str(file)} if to == "file" else {})
    spool = Spool(tmp_path / "spool", "two", 64_000) if to == "other" else None
    late = Pipeline(settings, Away(settings), encoded, lambda scores: b"score", spool=spool)
    for number in range(3):
        put(pipeline, number)
    pipeline._filing.write_all()  # or its thread does
    pipeline.hand_over(late)
    late.shutdown(30)
    assert (late.spooled, late.dropped) == ((0, 3) if to == "off" else (3, 0))
    assert [path.name.partition("-")[0] for path in (tmp_path / "spool").iterdir()] == ["two"] * (to == "other")
    assert file.exists() == (to == "file")


def test_files_that_made_room_stay_for_the_next_start_where_the_new_settings_have_no_spool(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    for number in range(60):
        put(pipeline, number)
    late = started(None)
    pipeline.hand_over(late)
    late.shutdown(30)
    assert (late.spooled > 0, late.spooled + late.dropped) == (True, 60)
    found = [*Spool(tmp_path / "spool", "one", 1).left_behind()]
    assert sum(record.count for left in found for record in left.records) == late.spooled
    for left in found:
        left.close()


def _of_another_process(folder: Path) -> list[Left]:
    spool = Spool(folder, "one", 64_000)
    assert spool.append("traces", 1, b"theirs")
    left = spool.rotate()
    assert left is not None
    left.process = 1
    return [left]
