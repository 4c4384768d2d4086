"""The spool: what is acknowledged is on disk, in segments, until it is loaded.

Appends of many requests share one fdatasync (group commit) on a thread of the spool's own; `append` returns when the
bytes are durable.
The loader seals the open segment, loads the sealed ones in order, and only then removes them, so what a segment holds
never changes once loading has begun: a retry after a crash is the same batch.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from outlay_collector.cadence import Waiting
from outlay_collector.spool.counts import Counts, Snapshot
from outlay_collector.spool.quarantine import Quarantine
from outlay_collector.spool.segments import Record, Segment, create, identity, read_records, recover, remove, write_at
from outlay_collector.spool.warm import WarmBodies

logger = logging.getLogger(__name__)

WAITING_BYTES = 64 << 20
FREE_RATIO, FREE_BYTES = 0.05, 1 << 30
RETRY_AFTER_S = 5


class SpoolFull(Exception):
    """The spool takes nothing more for now. `retry_after_s` says when to ask again."""

    def __init__(self, message: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass
class _Waiting:
    packed: bytes
    record: Record
    raw: bytes | None
    done: Future[None]


class Spool:
    """Appends from any thread or event loop; one loader reads. Safe over kill -9 and power cuts."""

    def __init__(self, path: Path, *, quota_bytes: int) -> None:
        """Open or create the spool at `path`.

        Args:
            path: Its directory, mode 0700; `dead/` below it is the quarantine.
            quota_bytes: Size beyond which `append` raises `SpoolFull`.
        """
        self.path = path
        self.quota_bytes = quota_bytes
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.quarantine = Quarantine(path / "dead")
        self.name = f"outlay-{identity(path)}"
        """An emptied spool is another collector in the ledger."""
        self._changed = threading.Condition()
        self._io = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._warm = WarmBodies()
        self._closed = False
        self._totals = Snapshot()
        self._sealed = recover(path, self.quarantine.path)
        self.last_recovered = self._sealed[-1].number if self._sealed else 0  # the last that an earlier process left
        self.kept: list[Segment] = []  # loaded, and after a crash again; the loader's
        self._open = self._new_segment(self._sealed[-1].number + 1 if self._sealed else 1)
        self._fd = create(self._open)
        self._thread = threading.Thread(target=self._write_loop, name="outlay-spool", daemon=True)
        self._thread.start()

    # --- appending

    async def append(self, record: Record, raw: bytes | None = None) -> None:
        """Store one record; returns when it is durable.

        Args:
            raw: The unpacked body, kept in memory for the loader as far as there is room.

        Raises:
            SpoolFull: If the quota is reached, the disk is full or nearly so, or too much is waiting to be written.
        """
        await asyncio.wrap_future(self.submit(record, raw))

    def submit(self, record: Record, raw: bytes | None = None) -> Future[None]:
        """As `append`, for callers without an event loop."""
        packed = record.pack()
        done: Future[None] = Future()
        with self._changed:
            if self._closed:
                raise SpoolFull("the collector is shutting down")
            if self._waiting_bytes + len(packed) > WAITING_BYTES and self._waiting:
                raise SpoolFull("too many requests are waiting for the disk", 1)
            if self._bytes() + self._waiting_bytes + len(packed) > self.quota_bytes:
                raise SpoolFull(f"the spool is full ({self.quota_bytes >> 20} MiB): the store does not keep up")
            self._waiting.append(_Waiting(packed, record, raw, done))
            self._waiting_bytes += len(packed)
            self._changed.notify_all()
        return done

    def _write_loop(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                group, self._waiting = self._waiting, []
                if not group:
                    return
                dropped = sum(len(item.packed) for item in group)
                group = [item for item in group if item.done.set_running_or_notify_cancel()]
            for part in self._cut(group):
                try:
                    self._write(part)
                except OSError as exc:
                    logger.warning("the spool cannot be written: %s", exc.strerror)
                    for item in part:
                        item.done.set_exception(SpoolFull(f"the spool cannot be written: {exc.strerror}"))
                else:
                    for item in part:
                        item.done.set_result(None)
            with self._changed:
                self._waiting_bytes -= dropped
                self._changed.notify_all()

    def _cut(self, group: list[_Waiting]) -> Iterator[list[_Waiting]]:
        """A group in parts that each fill the open segment at most: a segment is loaded in one go, from memory."""
        part: list[_Waiting] = []
        filled = replace(self._open, counts=replace(self._open.counts))
        for item in group:
            part.append(item)
            filled.add(item.record, len(item.packed))
            if filled.full():
                yield part
                part, filled = [], Segment(0, self.path)
        if part:
            yield part

    def _write(self, group: list[_Waiting]) -> None:
        """Write records and make them durable, or leave the segment as it was."""
        self._check_free(sum(len(item.packed) for item in group))
        with self._io:
            start = self._open.size
            try:
                position = start
                for item in group:
                    position += write_at(self._fd, item.packed, position)
                os.fdatasync(self._fd)
            except OSError:
                os.ftruncate(self._fd, start)
                raise
            with self._changed:
                for item in group:
                    self._open.add(item.record, len(item.packed))
                    self._warm.keep(item.record, item.raw)
                self._changed.notify_all()
            if self._open.full():
                self._roll()

    def _check_free(self, size: int) -> None:
        usage = shutil.disk_usage(self.path)
        if usage.free - size < min(usage.total * FREE_RATIO, FREE_BYTES):
            raise OSError(28, "the disk is nearly full")

    def _roll(self) -> None:
        """Close the open segment for good and begin the next; the caller holds `_io`."""
        following = self._new_segment(self._open.number + 1)
        fd = create(following)
        old_fd, old = self._fd, self._open
        with self._changed:
            self._fd, self._open = fd, following
            self._sealed.append(old)
            self._changed.notify_all()
        os.close(old_fd)

    # --- loading

    def wait(self, stop: threading.Event, timeout_s: float | None = None) -> bool:
        """Wait until there is something to load, or `stop` is set (then call `wake`). Says whether there is."""
        with self._changed:
            self._changed.wait_for(lambda: stop.is_set() or self._something(), timeout_s)
            return self._something()

    def wake(self) -> None:
        """Let a thread in `wait` look at its `stop` again."""
        with self._changed:
            self._changed.notify_all()

    def next_segment(self) -> Segment | None:
        """The oldest segment, sealed now if it was still open; None when there is nothing to load."""
        with self._io:
            if not self._sealed and self._open.size > 0:
                self._roll()
            return self._sealed[0] if self._sealed else None

    def read(self, segment: Segment) -> Iterator[Record]:
        """The records of a sealed segment, in order of arrival."""
        for record, _ in read_records(segment.path):
            yield record

    def warm(self, body_id: str) -> bytes | None:
        """The unpacked body, if it is still in memory; it is given away once."""
        return self._warm.take(body_id)

    def finish(self, segment: Segment, totals: Snapshot) -> None:
        """Remove a loaded segment; `totals` are the ledger's figures that now hold for this collector."""
        self._take_off(segment, totals)
        remove(segment)

    def keep(self, segment: Segment, totals: Snapshot) -> None:
        """As `finish`, for a segment that is to be loaded again after a crash: its files stay until `remove_kept`."""
        self._take_off(segment, totals)
        self.kept.append(segment)

    def remove_kept(self) -> None:
        """Remove the segments that were kept: the ledger has them now."""
        while self.kept:
            remove(self.kept.pop(0))

    def _take_off(self, segment: Segment, totals: Snapshot) -> None:
        with self._changed:
            self._sealed = [one for one in self._sealed if one.number != segment.number]
            self._totals = totals

    def resume(self, totals: Snapshot) -> None:
        """Start from the ledger's figures: segments that are in them already were loaded before a crash, and go."""
        with self._io:
            done = [one for one in self._sealed if one.number <= totals.segment]
            if self._open.number <= totals.segment:
                if self._open.size:
                    raise RuntimeError("the spool was appended to before the ledger was read")
                stale = self._open
                self._open = self._new_segment(totals.segment + 1)
                os.close(self._fd)
                self._fd = create(self._open)
                stale.path.unlink(missing_ok=True)
        for segment in done:
            self.finish(segment, totals)
        with self._changed:
            self._totals = totals

    # --- looking

    def snapshot(self) -> tuple[Snapshot, Counts]:
        """What the ledger holds and what is still to be loaded, at one moment."""
        with self._changed:
            pending = Counts()
            for segment in (*self._sealed, self._open):
                pending.include(segment.counts)
            return self._totals, pending

    def waiting(self) -> Waiting:
        """How much is still to be loaded, and since when."""
        _, pending = self.snapshot()
        return Waiting(pending.spans + pending.rejected + pending.logs + pending.logs_rejected, self.lag_s)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk that are not loaded yet."""
        with self._changed:
            return self._bytes()

    @property
    def lag_s(self) -> float:
        """Age of the oldest record that is not loaded yet, 0 when there is none."""
        with self._changed:
            firsts = [one.first_ns for one in (*self._sealed, self._open) if one.first_ns]
        return max(0.0, (time.time_ns() - min(firsts)) / 1e9) if firsts else 0.0

    def close(self, timeout_s: float = 5.0) -> None:
        """Take nothing more, write what is waiting. The rest is loaded after the next start. Safe to call twice."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._io:
            os.close(self._fd)  # an empty segment stays: its number must not be given out again

    # --- inside

    def _something(self) -> bool:
        return bool(self._sealed) or self._open.size > 0

    def _bytes(self) -> int:
        return self._open.size + sum(one.size for one in self._sealed)

    def _new_segment(self, number: int) -> Segment:
        return Segment(number, self.path / f"{number:012d}.seg")
