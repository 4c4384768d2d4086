"""From the spool into the store: one thread, one writer, one segment of the spool per batch.

A segment never changes once it is sealed, so the batch after a crash is the batch before it and ClickHouse drops what
it has already (the insert token is the hash of the segment's records). In order: which keys are there already (written
beside the segment, so that a retry does not count its own rows as duplicates), `spans`, log records, `dirty_traces`,
the ledger, and only then the segment is removed. Whatever moment a kill -9 picks, the same work is done again and
changes nothing.

Where the settler is in this process, small batches tell it what changed and leave out the last three: their segments
stay until many have come or some time has passed. Then one row of the ledger is for all of them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from outlay.errors import StoreError
from outlay_collector.cadence import Cadence
from outlay_collector.handover import Handover
from outlay_collector.load.batch import Batch, write_ledger, write_marks
from outlay_collector.load.key_filter import Seen
from outlay_collector.spool.counts import Snapshot
from outlay_collector.spool.spool import Spool
from outlay_collector.store import Store, load_sql

logger = logging.getLogger(__name__)

GLANCE_S = 0.5
KEEP_S = 30.0
KEEP_SEGMENTS = 64
KEEP_BYTES = 8 << 20
BACKOFF_S = (0.5, 1, 2, 5, 10, 30)


class Loader:
    """Loads what the spool holds, in order. `run_once` does one batch; `start` does it on a thread as data arrives."""

    def __init__(
        self,
        store: Store,
        spool: Spool,
        *,
        on_loaded: Callable[[], None] = lambda: None,
        cadence: Cadence | None = None,
        handover: Handover | None = None,
    ) -> None:
        """Read the ledger and drop the segments that are in it.

        Args:
            on_loaded: Called after each batch.
            cadence: Decides when a batch is due; without one somebody is taken to look always.
            handover: Where the settler of this process learns what small batches changed; None where others settle.

        Raises:
            StoreError: If the ledger cannot be read.
        """
        self.store = store
        self.spool = spool
        self.on_loaded = on_loaded
        self.cadence = cadence or Cadence(attended=True)
        self._handover = handover
        self._kept_hash = ""
        self._kept_since = float("-inf")
        self.retries = 0
        self.last_error = ""
        # Only where this loader is the one writer does it know what is stored; elsewhere ClickHouse is asked.
        self.seen = Seen(store) if store.embedded else None
        self._writer = store.writer()
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._thread: threading.Thread | None = None
        rows = store.query(load_sql("outlay_collector.load.sql", "ledger"), {"collector": spool.name})
        spool.resume(Snapshot(**{name: rows[0][name] for name in asdict(Snapshot())}) if rows else Snapshot())
        if handover is not None:
            handover.recovering = spool.waiting().spans > 0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="outlay-loader", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 8.0) -> bool:
        """Load what is in the spool as far as time allows, then stop. What remains is loaded after the next start.

        Returns:
            Whether the thread ended in time. Safe to call twice.
        """
        self._stop.set()
        self.spool.wake()
        self.cadence.changed.set()
        if self._thread is not None:
            self._deadline = time.monotonic() + timeout_s
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        with contextlib.suppress(StoreError):  # the next start loads it again, which changes nothing
            self.write_kept()
        self._writer.close()
        return True

    def _loop(self) -> None:
        failures = 0
        while True:
            something = self.spool.wait(self._stop, self._keeps_s() if self.spool.kept else None)
            if self._stop.is_set() and (not something or time.monotonic() > self._deadline):
                return
            try:
                if self.spool.kept and self._keeps_s() <= 0:
                    self.write_kept()
                if not something:
                    continue
                self._gather()
                with self.cadence.run("load"):
                    self.run_once()
                failures, self.last_error = 0, ""
            except Exception as exc:
                self._complain(exc)
                if self._stop.is_set():
                    return
                # A stop ends the wait and is followed by one more try: what was in the way may be gone by now.
                self._stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    def _gather(self) -> None:
        """Wait until a batch is due; what comes meanwhile may make it due earlier."""
        while not self._stop.is_set():
            self.cadence.changed.clear()
            due_s = self.cadence.due_s(self.spool.waiting())
            if due_s <= 0:
                return
            self.cadence.changed.wait(min(due_s, GLANCE_S))

    def _complain(self, exc: Exception) -> None:
        """Say once per kind of trouble that loading is stuck; nothing is lost, the segment is tried again."""
        self.retries += 1
        message = f"{type(exc).__name__}: {exc}"
        if message != self.last_error:
            expected = isinstance(exc, StoreError) and exc.retryable
            logger.warning("loading is stuck and will be tried again: %s", message, exc_info=not expected)
        self.last_error = message

    def run_once(self) -> bool:
        """Load the oldest segment. Returns whether there was one.

        Raises:
            StoreError: If the store cannot take it now; the segment stays and the next call tries again.
        """
        segment = self.spool.next_segment()
        if segment is None:
            return False
        before, _ = self.spool.snapshot()
        if segment.size == 0:
            self.spool.finish(segment, before)
            return True
        records = list(self.spool.read(segment))
        batch = Batch(self.spool, self._writer, self.seen, segment, records)
        # What an earlier process left it may have settled, too: the settler has to look for that.
        recovered = segment.number <= self.spool.last_recovered
        if self._handover is not None and not recovered:
            self._handover.recovering = False
        if self._handover is None or recovered or not batch.is_small:
            self.write_kept()  # marks go in the order of their batches, and the ledger's row is for all until then
            self.spool.finish(segment, batch.load(before))
            if self._handover is not None:
                self._handover.look()
        else:
            self.spool.keep(segment, batch.load(before, self._handover))
            self._kept_hash = batch.hash
            if len(self.spool.kept) == 1:
                self._kept_since = time.monotonic()
            elif len(self.spool.kept) >= KEEP_SEGMENTS or sum(one.size for one in self.spool.kept) >= KEEP_BYTES:
                self.write_kept()
        self.on_loaded()
        return True

    def write_kept(self) -> None:
        """Write what small batches left out, and let go of their segments.

        Raises:
            StoreError: If the store cannot take it now; nothing is let go of.
        """
        if not self.spool.kept or self._handover is None:
            return
        unsettled = self._handover.waiting()
        for marks in unsettled:
            write_marks(self._writer, self.spool.name, marks)
        if unsettled:
            self._handover.look()
            self._handover.done(unsettled)
        totals, _ = self.spool.snapshot()
        write_ledger(self._writer, self.spool.name, self._kept_hash, totals)
        self.spool.remove_kept()

    def _keeps_s(self) -> float:
        """Seconds until what small batches left out is written, not above 0 if it is due."""
        return self._kept_since + KEEP_S - time.monotonic()
