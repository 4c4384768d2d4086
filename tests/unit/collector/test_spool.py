"""The spool alone: durable records, torn tails, quota, order, what survives a restart."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from outlay_collector.spool import segments as spool_segments
from outlay_collector.spool import spool as spool_module
from outlay_collector.spool.counts import Snapshot
from outlay_collector.spool.segments import Record
from outlay_collector.spool.spool import Spool, SpoolFull

RECORD = Record(
    project="default",
    received_ns=1,
    body_id="b",
    kind="traces",
    encoding="identity",
    spans=2,
    rejected=1,
    oldest_ns=0,
    newest_ns=9,
    raw_bytes=4,
    keys=bytes(56),
    body=b"body",
)


def record(number: int, size: int = 4) -> Record:
    return replace(RECORD, body_id=f"b{number}", body=bytes([number % 256]) * size, raw_bytes=size)


def open_spool(path: Path) -> Spool:
    return Spool(path, quota_bytes=1 << 30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    made = open_spool(path)
    yield made
    made.close()


def put(spool: Spool, *records: Record) -> None:
    for done in [spool.submit(one) for one in records]:
        done.result(10)


def drain(spool: Spool) -> list[Record]:
    out: list[Record] = []
    while (segment := spool.next_segment()) is not None:
        out += spool.read(segment)
        spool.finish(segment, spool.snapshot()[0])
    return out


def test_records_come_back_whole_and_in_order(spool: Spool) -> None:
    sent = [record(number, 1 + number * 100) for number in range(20)]
    put(spool, *sent)
    assert drain(spool) == sent
    assert spool.next_segment() is None
    assert spool.size_bytes == 0


def test_appends_from_many_coroutines_share_the_disk_and_all_arrive(spool: Spool) -> None:
    async def many() -> None:
        await asyncio.gather(*(spool.append(record(number)) for number in range(300)))

    asyncio.run(many())
    assert sorted(one.body_id for one in drain(spool)) == sorted(f"b{number}" for number in range(300))


def test_what_was_acknowledged_is_there_after_a_crash(path: Path) -> None:
    first = open_spool(path)  # never closed: a crash leaves its files as they are
    put(first, record(1), record(2))
    second = open_spool(path)
    assert [one.body_id for one in drain(second)] == ["b1", "b2"]
    assert second.name == first.name
    for one in (first, second):
        one.close()


@pytest.mark.parametrize("cut", [1, 5, 30, 100])
def test_a_torn_tail_is_cut_off_and_what_is_before_it_kept(path: Path, cut: int) -> None:
    first = open_spool(path)
    put(first, record(1, 500), record(2, 500))
    first.close()
    file = next(path.glob("*.seg"))
    os.truncate(file, file.stat().st_size - cut)
    second = open_spool(path)
    assert [one.body_id for one in drain(second)] == ["b1"]
    second.close()


def test_a_flipped_bit_ends_the_segment_there_and_the_rest_is_kept_aside(path: Path) -> None:
    first = open_spool(path)
    put(first, record(1, 500), record(2, 500), record(3, 500))
    first.close()
    file = next(path.glob("*.seg"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    second = open_spool(path)
    assert [one.body_id for one in drain(second)] == ["b1"]
    assert [data.endswith(one.read_bytes()) for one in second.quarantine.path.glob("*.cut")] == [True]
    second.close()


def test_numbers_never_go_back_though_everything_was_loaded(path: Path) -> None:
    numbers = []
    for _ in range(3):
        one = open_spool(path)
        put(one, record(1))
        segment = one.next_segment()
        assert segment is not None
        numbers.append(segment.number)
        one.finish(segment, Snapshot(segment=segment.number))
        one.close()
    assert numbers == sorted(set(numbers))


def test_segments_that_the_ledger_has_are_dropped_at_start(path: Path) -> None:
    first = open_spool(path)
    put(first, record(1))
    loaded = first.next_segment()
    put(first, record(2))
    first.close()
    assert loaded is not None
    second = open_spool(path)
    second.resume(Snapshot(segment=loaded.number, received=3, stored=2, rejected=1))
    assert [one.body_id for one in drain(second)] == ["b2"]
    second.close()


def test_an_emptied_directory_is_another_collector(path: Path, tmp_path: Path) -> None:
    first, other = open_spool(path), open_spool(tmp_path / "other")
    assert first.name != other.name
    first.close()
    other.close()


def test_the_quota_refuses_and_room_comes_back_with_loading(path: Path) -> None:
    spool = Spool(path, quota_bytes=3000)
    put(spool, record(1, 1000), record(2, 1000))
    with pytest.raises(SpoolFull, match="full"):
        spool.submit(record(3, 1000))
    drain(spool)
    put(spool, record(3, 1000))
    spool.close()


def test_a_disk_that_is_nearly_full_refuses_and_recovers(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "FREE_BYTES", 1 << 62)
    monkeypatch.setattr(spool_module, "FREE_RATIO", 1.0)
    with pytest.raises(SpoolFull, match="nearly full"):
        spool.submit(record(1)).result(10)
    monkeypatch.undo()
    put(spool, record(2))
    assert [one.body_id for one in drain(spool)] == ["b2"]


def test_a_write_that_fails_half_way_leaves_the_segment_as_it_was(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(spool, record(1))

    def broken(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        with pytest.raises(SpoolFull, match="No space"):
            spool.submit(record(2)).result(10)
    put(spool, record(3))
    assert [one.body_id for one in drain(spool)] == ["b1", "b3"]


def test_a_closed_spool_takes_nothing(path: Path) -> None:
    spool = open_spool(path)
    spool.close()
    spool.close()
    with pytest.raises(SpoolFull, match="shutting down"):
        spool.submit(record(1))


def test_large_segments_are_rolled_and_read_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_segments, "SEGMENT_BYTES", 1000)
    spool = open_spool(path)
    put(spool, *(record(number, 300) for number in range(20)))
    assert len(list(path.glob("*.seg"))) > 3
    assert [one.body_id for one in drain(spool)] == [f"b{number}" for number in range(20)]
    spool.close()


def test_the_snapshot_counts_what_is_waiting(spool: Spool) -> None:
    put(spool, record(1), replace(record(2), kind="logs", spans=5, rejected=2))
    _, waiting = spool.snapshot()
    assert (waiting.spans, waiting.rejected, waiting.logs, waiting.logs_rejected) == (2, 1, 5, 2)
    assert spool.lag_s > 0


def test_waiting_ends_when_something_comes_and_when_asked_to_stop(spool: Spool) -> None:
    stop = threading.Event()
    found: list[bool] = []
    waiter = threading.Thread(target=lambda: found.append(spool.wait(stop)))
    waiter.start()
    put(spool, record(1))
    waiter.join(60)
    drain(spool)
    waiter = threading.Thread(target=lambda: found.append(spool.wait(stop)))
    waiter.start()
    time.sleep(0.02)
    stop.set()
    spool.wake()
    waiter.join(60)
    assert found == [True, False]
