"""A pipeline's files in the spool: what waits is written down, put aside where it is too much, and sent from there.

One daemon thread writes. Files that are put aside, and those that processes of the same target have left behind, are
sent when nothing else waits. Without a spool there are no files, and nothing here does anything.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from outlay import _safely
from outlay.export.progress import Counts, Progress
from outlay.export.requests import Requests
from outlay.export.spool import REST_SUFFIX, Spool
from outlay.export.spool_format import Left
from outlay.export.waiting import Waiting, Written
from outlay.settings import Settings

_WRITE_PAUSE_S = 0.002

Deliver = Callable[[str, bytes, int], bool]
"""Takes signal, request and how many are in it; whether the server has it."""


class Filing:
    """Of one pipeline.

    Attributes:
        writing: Held while spans go to the spool's file; taken before the pipeline's lock.
        begun: Spans that have begun and not ended.
        unfiled: Spans that have ended and were never in the spool's file.
        file: Which of the spool's files is written to, counted from 0.
        left: Files of processes that are no more, and our own that made room.
        recovers: The worker is to look for files of other processes.
    """

    def __init__(
        self, settings: Settings, spool: Spool | None, waiting: Waiting, requests: Requests, progress: Progress
    ) -> None:
        self.spool = spool
        self.writing = threading.RLock()
        self.begun = 0
        self.unfiled = 0
        self.file = 0
        self.left: list[Left] = []
        self.recovers = False
        self._waiting = waiting
        self._requests = requests
        self._progress = progress
        self._batch = min(settings.batch_spans, settings.queue_spans)
        self._filed = 0  # spans in the spool's file that are still to be sent
        self._thread: threading.Thread | None = None
        self._waits = False  # the thread does, and is to be told
        self._told: SimpleQueue[None] = SimpleQueue()
        self._is_over = False  # another pipeline has everything

    def begin(self) -> None:
        """A span has begun: if the process were killed before it is in the spool's file, it would be lost."""
        if self.spool is not None and self.spool.open():
            with self._progress.lock:
                self.begun += 1
                self.spool.at_risk(self.begun + self.unfiled)
                self.start()

    def end(self) -> None:
        """A span has ended; the lock is held."""
        self.begun = max(self.begun - 1, 0)

    def took(self, things: Sequence[Any]) -> None:
        """These are being sent; what is not encoded never will be in the file. Both locks are held."""
        self.unfiled = max(self.unfiled - sum(type(thing) is not Written for thing in things), 0)
        self._progress.in_file = sum(thing.total for thing in things if type(thing) is Written and thing.is_filed)

    def tell(self) -> None:
        """Something came."""
        if self._waits:
            self._waits = False
            self._told.put(None)

    def start(self) -> None:
        """Start who writes; the lock is held."""
        if self.spool is not None and self._thread is None and not self._is_over:
            self._thread = threading.Thread(target=self._write, name="outlay-spool", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None

    def _write(self) -> None:
        """Write down what ends: at once, and while more comes every few milliseconds, so that nobody need wake us."""
        me = threading.current_thread()
        self._progress.sends_here = True
        with self.writing:
            self._requests.of_spans([], flying=False)  # what it imports is there when the first call ends
        while self._thread is me:
            try:
                if not self.write_down():
                    self._waits = True
                    if self._waiting.has_new:
                        continue  # it came before we waited
                    self._told.get(timeout=60)
                    continue
                if self._is_time_to_put_aside():
                    self._put_aside()  # before those who record have to
            except Empty:
                continue
            except Exception:
                _safely.report("spool")
            time.sleep(_WRITE_PAUSE_S)

    def write_down(self) -> int:
        """Encode what waits and put it into the spool's file; returns how many spans that were."""
        spool = self.spool
        if spool is None or not self._waiting.has_new:
            return 0
        with self.writing:
            with self._progress.lock:
                raw, place = self._waiting.take_new(self._batch)
            if not raw:
                return 0
            body, count = self._requests.of_spans(raw, flying=False)
            is_filed = count > 0 and spool.append("traces", count, body)
            with self._progress.lock:
                if self._waiting.fill(place, Written(body, count, is_filed)):
                    self._filed += count if is_filed else 0
                self.unfiled = max(self.unfiled - len(raw), 0)
                spool.at_risk(self.begun + self.unfiled)
            return len(raw)

    def write_all(self) -> None:
        """Write down until there is nothing new."""
        while self.write_down():
            pass

    def add_written(self, written: Written, size: int) -> None:
        """Take spans that another pipeline has encoded into our file, and into what waits."""
        with self.writing, self._progress.lock:
            filed = self.spool is not None and self.spool.append("traces", written.total, written.body)
            self._filed += written.total if filed else 0
            self._waiting.add_written(written._replace(is_filed=filed), size)

    def make_room(self) -> None:
        """Take what waits out of memory: it is sent from the spool's file later."""
        if self.spool is not None and not self._progress.sends_here:
            self.write_all()
            self._put_aside()

    def _is_time_to_put_aside(self) -> bool:
        """Whether room is scarce, and most of what waits is in the file: small files would soon be many."""
        return self._waiting.is_crowded and 2 * self._filed > self._waiting.count

    def _put_aside(self) -> None:
        """Take what is in the spool's file out of memory, and begin another file."""
        assert self.spool is not None
        with self.writing, self._progress.lock:
            left = self.spool.rotate()
            if left is not None:
                self._waiting.forget_filed()
                self._filed = 0
                self._progress.aside += self._progress.in_file
                self._progress.in_file = 0
                self.file += 1
                self.left.append(left)

    def sent(self, filed: int, file: int) -> None:
        """Spans of one of the spool's files are on the server, or refused there."""
        if not filed or self.spool is None:
            return
        with self.writing:
            if file != self.file:
                return  # another one is written to; that one is sent again, which the server takes for what it is
            with self._progress.lock:
                self._filed = max(self._filed - filed, 0)
            if not self._filed:
                self.spool.all_sent()

    def leave_filed(self, filed: int, file: int) -> bool:
        """Leave spans in the spool's file to the next start; False where it is put aside, and counted as a whole."""
        with self._progress.lock:
            if file != self.file:
                return False
            self._filed = max(self._filed - filed, 0)
            return True

    def take_over(self) -> None:
        """Take what processes of this target have left behind when they ended, and say what they lost.

        `writing` is held: a child that is forked meanwhile would hold these files, and never know.
        """
        if self.spool is None or not self.recovers:
            return
        try:
            found = [*self.spool.left_behind()]
            self._say_lost(found)
            with self._progress.lock:
                self.left += found
        finally:
            self.recovers = False  # last: a flush waits for what is found

    def _say_lost(self, found: Sequence[Left]) -> None:
        for one in found:
            ended = sum(record.count for record in one.records)
            if one.at_risk:
                self._progress.counts.add(dropped=one.at_risk)
                _safely.warn(
                    f"spool of {one.process}",
                    "process %d was killed: %d spans of it were under way and are lost, %d that had ended are sent now",
                    one.process,
                    one.at_risk,
                    ended,
                )
            if one.rest:
                where = one.path.with_suffix(REST_SUFFIX).name
                _safely.warn(
                    f"spool {where}", "%d bytes of %s cannot be read and are kept in %s", one.rest, one.path, where
                )

    def send_left(self, deliver: Deliver) -> None:
        """Send files that were put aside or left behind."""
        while self.spool is not None and self.left:
            left = self.left[0]
            unsent = [*left.records]
            while unsent:
                signal, count, bodies = unsent[0].signal, 0, list[bytes]()
                with self.writing:
                    if left not in self.left:
                        return  # the process ends, and has put it back
                    for record in unsent:
                        if record.signal != signal or (bodies and count + record.count > self._batch):
                            break
                        count += record.count
                        bodies.append(left.body(record))
                with self._progress.lock:
                    self._progress.in_flight = self._progress.aside = count
                taken = deliver(signal, b"".join(bodies), count)
                if not taken:
                    break
                del unsent[: len(bodies)]
            with self.writing:
                with self._progress.lock:
                    if left not in self.left:
                        return
                    self.left.remove(left)
                self._put_back(left, len(unsent), self._progress.counts)
            if unsent:
                return

    def _put_back(self, left: Left, unsent: int, counts: Counts) -> None:
        """Leave the last records of a file to the next start."""
        if left.process == os.getpid():  # made room for others
            counts.add(spooled=sum(record.count for record in left.records[len(left.records) - unsent :]))
        if self.spool is not None:
            self.spool.done(left, unsent)

    def stop(self, lost: int) -> int:
        """The process ends: leave everything to the next start; returns how many of `lost` are in the file.

        Both locks are held.
        """
        kept = min(self._filed, lost)
        for left in self.left:
            self._put_back(left, len(left.records), self._progress.counts)
        self.left.clear()
        self._filed = self.unfiled = 0
        self.file += 1
        return kept

    def hand_over(self, other: Filing) -> None:
        """Leave everything to another pipeline, which has what waits already. Both locks are held."""
        other.begun, self._thread, self._is_over = self.begun, None, True
        self._told.put(None)
        for left in self.left:
            if other.spool is not None and left.process == os.getpid():
                other.spool.adopt(left)
                other.left.append(left)
            elif other.spool is not None and left.target == other.spool.target:
                other.left.append(left)
            else:
                self._put_back(left, len(left.records), other._progress.counts)
        self.left = []
        self._filed = 0
        if self.spool is not None:
            self.spool.all_sent()
            self.spool.close()

    def close(self) -> None:
        """Let go of the file."""
        if self.spool is not None:
            self.spool.close()

    def forget(self) -> None:
        """In a forked child: nothing of this is the child's. That unlocks no file, the parent holds them open."""
        for left in self.left:
            left.close()
        self.left.clear()
