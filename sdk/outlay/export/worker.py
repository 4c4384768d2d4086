"""The thread that sends what waits, and the end of the process, which sends what that thread has left."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

from outlay import _safely
from outlay.export.delivery import Delivery
from outlay.export.filing import Filing
from outlay.export.progress import Progress
from outlay.export.requests import Requests
from outlay.export.sender import Sender
from outlay.export.waiting import Waiting, count_of
from outlay.settings import Settings

_EXIT_BATCH = 8


class Worker:
    """Of one pipeline.

    Attributes:
        thread: None before something was recorded, and after the end.
        idle: Notified when nothing waits any more.
    """

    def __init__(
        self,
        settings: Settings,
        sender: Sender,
        waiting: Waiting,
        requests: Requests,
        filing: Filing,
        delivery: Delivery,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._waiting = waiting
        self._requests = requests
        self._filing = filing
        self._delivery = delivery
        self._progress = progress
        self._lock = progress.lock
        self.batch = min(settings.batch_spans, settings.queue_spans)
        self.thread: threading.Thread | None = None
        self.idle = threading.Condition(self._lock)
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._preparing = threading.Lock()  # not the spool's, which is written to meanwhile

    def hold(self) -> None:
        """Wait until nothing is being imported or written, and let nothing begin."""
        self._preparing.acquire()
        self._filing.writing.acquire()

    def let_go(self) -> None:
        """Go on, on the same thread."""
        self._filing.writing.release()
        self._preparing.release()

    def start(self) -> None:
        """Start, if need be, and who writes to the spool; the lock is held."""
        if self.thread is not None:
            return
        self._filing.start()
        self.thread = threading.Thread(target=self._work, name="outlay-export", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            self.thread = None  # the interpreter is closing; the end drains in its own thread

    def wake(self) -> None:
        """Send now, without waiting for it."""
        if self._wakes.empty():
            self._wakes.put(None)

    def leave(self) -> threading.Thread | None:
        """Another pipeline has taken over: the thread that ends now, if there is one. The lock is held."""
        thread, self.thread = self.thread, None
        self.wake()
        return thread

    def _work(self) -> None:
        me = threading.current_thread()
        self._progress.sends_here = True
        try:
            with self._preparing:
                self._sender.prepare()
            with self._filing.writing:
                self._filing.take_over()
        except Exception:
            _safely.report("spool")
        while self.thread is me and self._progress.deadline is None:
            self._sleep()
            try:
                self._drain(me)
            except Exception:
                _safely.report("export")
                with self._lock:
                    self._progress.failures += 1
                    self._progress.counts.add(dropped=self._progress.lose())
            with self._lock:
                if not self._waiting:
                    self.idle.notify_all()
        try:
            self._drain(me)
        except Exception:
            _safely.report("export")

    def _sleep(self) -> None:
        """Until somebody wakes us, or time is up."""
        try:
            self._wakes.get(timeout=self._settings.flush_interval_ms / 1000)
            while True:
                self._wakes.get_nowait()
        except Empty:
            pass

    def _drain(self, me: threading.Thread | None = None) -> None:
        """Send batch after batch until nothing waits, or until another thread has taken the place of this one."""
        while me is None or self.thread is me:
            self._filing.write_all()
            limit = self.batch * (_EXIT_BATCH if self._progress.deadline is not None else 1)
            with self._filing.writing, self._lock:
                file = self._filing.file
                spans = self._waiting.take(limit, only_written=self._filing.spool is not None)
                self._filing.took(spans)
                scores = self._waiting.take_scores()
                self._progress.in_flight = sum(map(count_of, spans)) + sum(map(count_of, scores))
            if not spans and not scores:
                self._filing.send_left(self._deliver_left)
                return
            is_done = True
            if spans:
                with self._filing.writing:
                    body, count, filed = self._requests.of_things(spans)
                is_done = self._delivery.deliver("traces", body, count, filed, file)
            if scores:
                is_done = self._delivery.deliver("logs", *self._requests.of_scores(scores)) and is_done
            if not is_done and self._progress.deadline is not None:
                self._progress.has_given_up = True
                return

    def _deliver_left(self, signal: str, body: bytes, count: int) -> bool:
        return self._delivery.deliver(signal, body, count, kept=True)

    def end(self, until: float) -> None:
        """Let the thread send, then send ourselves what is left, until then on the monotonic clock."""
        counts = self._progress.counts
        with self._lock:
            self._progress.deadline = until
            self._progress.has_given_up = False
            dropped, spooled = counts.dropped, counts.spooled
            thread = self.thread
        self.wake()
        if thread is not None and thread.is_alive():
            thread.join(max(until - time.monotonic(), 0.0))
        at_once = self._progress.has_given_up or (thread is not None and thread.is_alive())
        while not self._ended(at_once):
            self._drain()  # what was recorded since the thread found nothing more
            at_once = self._progress.has_given_up or time.monotonic() > until
        kept = counts.spooled - spooled
        if kept and self._filing.spool is not None:
            _safely.warn(
                "exit kept",
                "%d spans are kept in %s and sent at the next start: %s did not take them in time",
                kept,
                self._filing.spool.folder,
                self._settings.endpoint,
            )
        self._filing.close()
        lost = counts.dropped - dropped
        if lost:
            _safely.warn(
                "exit",
                "%d spans and scores dropped at exit: %s did not take them in time",
                lost,
                self._settings.endpoint,
            )

    def _ended(self, at_once: bool) -> bool:
        """Whether nothing waits and the thread is gone; `at_once`, what waits is left in files, or dropped."""
        try:
            self._filing.write_all()
        except Exception:
            _safely.report("spool")
        with self._filing.writing, self._lock:
            if self._waiting and not at_once:
                return False
            spans, scores = self._waiting.take_all()
            # What is in flight now is counted here; a thread that is still at it finds it gone and counts nothing.
            lost = sum(count_of(thing) for thing, _ in spans) + sum(map(count_of, scores))
            lost += self._progress.lose()
            kept = self._filing.stop(lost)
            self._progress.counts.add(spooled=kept, dropped=lost - kept)
            self.thread = None
            self._progress.deadline = None
            return True
